//! RLE lossless (PS3.5 annex G): byte planes, most significant first, each packed row by row.

/// One frame of grey samples as an RLE fragment of even length; 8 bits take one plane, more take two.
pub fn encode(samples: &[u16], columns: usize, bits_stored: u8) -> Vec<u8> {
    let planes: &[u32] = if bits_stored <= 8 { &[0] } else { &[8, 0] };
    let mut body = Vec::with_capacity(samples.len());
    let mut header = [0_u32; 16];
    header[0] = planes.len() as u32;
    for (index, shift) in planes.iter().enumerate() {
        header[index + 1] = 64 + body.len() as u32;
        for row in samples.chunks(columns.max(1)) {
            let row: Vec<u8> = row.iter().map(|sample| (sample >> shift) as u8).collect();
            pack(&row, &mut body);
        }
        if body.len() % 2 == 1 {
            body.push(0);
        }
    }
    let mut fragment: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    fragment.extend(body);
    fragment
}

/// PackBits: runs of three or more equal bytes are counted, the rest is copied.
fn pack(row: &[u8], out: &mut Vec<u8>) {
    let run_at = |start: usize| {
        row[start..]
            .iter()
            .take(128)
            .take_while(|byte| **byte == row[start])
            .count()
    };
    let mut at = 0;
    while at < row.len() {
        let run = run_at(at);
        if run >= 3 {
            // -(run - 1) in two's complement.
            out.extend([(257 - run) as u8, row[at]]);
            at += run;
            continue;
        }
        let start = at;
        while at < row.len() && at - start < 128 && run_at(at) < 3 {
            at += 1;
        }
        out.push((at - start - 1) as u8);
        out.extend_from_slice(&row[start..at]);
    }
}
