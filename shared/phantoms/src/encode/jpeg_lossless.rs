//! JPEG lossless (ITU-T T.81 process 14): one component, Huffman coding, prediction by the sample to the left.

/// One frame of grey samples of 2 to 16 bits as a JPEG stream of even length.
pub fn encode(samples: &[u16], columns: u16, rows: u16, bits_stored: u8) -> Vec<u8> {
    let categories = categories(samples, usize::from(columns), bits_stored);
    let lengths = code_lengths(&categories);
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xc3, &{
        let [row_high, row_low] = rows.to_be_bytes();
        let [column_high, column_low] = columns.to_be_bytes();
        [bits_stored, row_high, row_low, column_high, column_low, 1, 1, 0x11, 0]
    });
    let mut table = vec![0_u8];
    let mut order: Vec<usize> = (0..17).filter(|category| lengths[*category] > 0).collect();
    order.sort_by_key(|category| (lengths[*category], *category));
    table.extend((1..=16).map(|length| order.iter().filter(|category| lengths[**category] == length).count() as u8));
    table.extend(order.iter().map(|category| *category as u8));
    segment(&mut out, 0xc4, &table);
    segment(&mut out, 0xda, &[1, 1, 0, 1, 0, 0]);
    let codes = canonical(&order, &lengths);
    let mut bits = Bits { out, held: 0, count: 0 };
    for_each_difference(samples, usize::from(columns), bits_stored, |difference, category| {
        let (code, length) = codes[category as usize];
        bits.put(code, length);
        // Category 16 is the single difference 32768 and carries no further bits.
        if (1..16).contains(&category) {
            let value = if difference < 0 {
                difference + (1 << category) - 1
            } else {
                difference
            };
            bits.put(value as u32, category);
        }
    });
    let mut out = bits.finish();
    out.extend([0xff, 0xd9]);
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    out.extend([0xff, marker]);
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend_from_slice(content);
}

/// Differences to the prediction, modulo 65536, with the number of bits that each needs.
fn for_each_difference(samples: &[u16], columns: usize, bits_stored: u8, mut take: impl FnMut(i32, u8)) {
    for (index, sample) in samples.iter().enumerate() {
        let prediction = match (index, index % columns) {
            (0, _) => 1_u16 << (bits_stored - 1),
            (_, 0) => samples[index - columns],
            _ => samples[index - 1],
        };
        let mut difference = i32::from(sample.wrapping_sub(prediction) as i16);
        if difference == -32768 {
            difference = 32768;
        }
        take(difference, (32 - difference.unsigned_abs().leading_zeros()) as u8);
    }
}

fn categories(samples: &[u16], columns: usize, bits_stored: u8) -> [u64; 17] {
    let mut counts = [0; 17];
    for_each_difference(samples, columns, bits_stored, |_, category| {
        counts[category as usize] += 1
    });
    counts
}

/// Huffman code lengths of at most 16 bits, with the all-ones code left free (T.81 annex K.2).
fn code_lengths(counts: &[u64; 17]) -> [u8; 17] {
    // Rare symbols count as a thousandth, which bounds the depth of the tree below 16. Symbol 17 stands for the
    // reserved code: as the rarest of all it gets one of the longest codes.
    let floor = counts.iter().sum::<u64>() / 1024 + 2;
    let weight: Vec<u64> = counts
        .iter()
        .map(|count| if *count > 0 { (*count).max(floor) } else { 0 })
        .chain([1])
        .collect();
    let mut depth = [0_u8; 18];
    let mut groups: Vec<(u64, Vec<usize>)> = (0..18)
        .filter(|symbol| weight[*symbol] > 0)
        .map(|symbol| (weight[symbol], vec![symbol]))
        .collect();
    while groups.len() > 1 {
        groups.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.len().cmp(&other.1.len())));
        let (Some(one), Some(other)) = (groups.pop(), groups.pop()) else {
            break;
        };
        let symbols: Vec<usize> = one.1.into_iter().chain(other.1).collect();
        for symbol in &symbols {
            depth[*symbol] += 1;
        }
        groups.push((one.0 + other.0, symbols));
    }
    let mut lengths = [0; 17];
    lengths.copy_from_slice(&depth[..17]);
    lengths
}

fn canonical(order: &[usize], lengths: &[u8; 17]) -> [(u32, u8); 17] {
    let mut codes = [(0, 0); 17];
    let (mut code, mut length) = (0_u32, 0_u8);
    for symbol in order {
        code <<= lengths[*symbol] - length;
        length = lengths[*symbol];
        codes[*symbol] = (code, length);
        code += 1;
    }
    codes
}

/// Most significant bit first; a byte of ones is followed by a zero.
struct Bits {
    out: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, length: u8) {
        self.held = self.held << length | u64::from(value) & ((1 << length) - 1);
        self.count += u32::from(length);
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count % 8) % 8;
        self.put((1 << missing) - 1, missing as u8);
        self.out
    }
}
