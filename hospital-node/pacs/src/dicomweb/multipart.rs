//! `multipart/related` as it arrives (RFC 2046 section 5.1, RFC 2387), in memory that does not grow with the body.

/// Longest header of a part.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// White space between a boundary and the end of its line.
const PADDING_BYTES_MAX: usize = 64;
/// Longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What is met in a body.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Event<'a> {
    /// A part begins.
    Part,
    /// Bytes of the part.
    Data(&'a [u8]),
    /// The part is whole.
    End,
}

/// Why a body cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    HeaderTooLong,
    Cut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    Header,
    Body,
    /// After the last boundary.
    Done,
}

/// A body that is read piece by piece.
pub(crate) struct Multipart {
    delimiter: Vec<u8>,
    state: State,
    held: Vec<u8>,
}

/// What follows a delimiter.
enum Line {
    /// It was the last; so many bytes are its tail.
    Last(usize),
    /// A part begins after so many bytes.
    Next(usize),
    /// It only looked like a delimiter.
    Data,
    /// More bytes are needed to tell.
    Unknown,
}

impl Multipart {
    pub fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            state: State::Preamble,
            // The first boundary may stand at the very beginning, without its line break.
            held: b"\r\n".to_vec(),
        }
    }

    /// Takes the next bytes and tells `sink` what is in them.
    pub fn feed<E: From<Fault>>(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        while let Some(used) = self.step(&held[at..], sink)? {
            at += used;
        }
        if self.state != State::Done {
            self.held = held[at..].to_vec();
        }
        Ok(())
    }

    /// Says whether the body came to its end.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.state == State::Done {
            Ok(())
        } else {
            Err(Fault::Cut)
        }
    }

    /// Uses up some of `held`; `None` when more is needed first.
    fn step<E: From<Fault>>(
        &mut self,
        held: &[u8],
        sink: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        match self.state {
            State::Done => Ok(None),
            State::Header => {
                let end = if held.starts_with(b"\r\n") {
                    Some(2)
                } else {
                    find(held, b"\r\n\r\n").map(|at| at + 4)
                };
                if end.unwrap_or(held.len()) > HEADER_BYTES_MAX {
                    return Err(Fault::HeaderTooLong.into());
                }
                if end.is_some() {
                    sink(Event::Part)?;
                    self.state = State::Body;
                }
                Ok(end)
            }
            State::Preamble | State::Body => self.until_delimiter(held, sink),
        }
    }

    fn until_delimiter<E: From<Fault>>(
        &mut self,
        held: &[u8],
        sink: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        let is_body = self.state == State::Body;
        let mut data = |bytes: &[u8]| match (is_body, bytes.is_empty()) {
            (true, false) => sink(Event::Data(bytes)),
            _ => Ok(()),
        };
        let Some(at) = find(held, &self.delimiter) else {
            // All but a tail that may be the beginning of a delimiter.
            let sure = held.len().saturating_sub(self.delimiter.len() - 1);
            data(&held[..sure])?;
            return Ok((sure > 0).then_some(sure));
        };
        let after = at + self.delimiter.len();
        match line(&held[after..]) {
            Line::Unknown => {
                data(&held[..at])?;
                Ok((at > 0).then_some(at))
            }
            Line::Data => {
                // A line break cannot occur within a delimiter, so the next one begins behind its first byte.
                data(&held[..=at])?;
                Ok(Some(at + 1))
            }
            Line::Last(tail) | Line::Next(tail) => {
                data(&held[..at])?;
                if is_body {
                    sink(Event::End)?;
                }
                let is_last = matches!(line(&held[after..]), Line::Last(_));
                self.state = if is_last { State::Done } else { State::Header };
                Ok(Some(after + tail))
            }
        }
    }
}

fn line(rest: &[u8]) -> Line {
    if rest.starts_with(b"--") {
        return Line::Last(2);
    }
    let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match rest.get(padding..).unwrap_or_default() {
        _ if padding > PADDING_BYTES_MAX => Line::Data,
        [] | [b'\r'] => Line::Unknown,
        [b'-'] if padding == 0 => Line::Unknown,
        [b'\r', b'\n', ..] => Line::Next(padding + 2),
        _ => Line::Data,
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The boundary in a content type, if it is `multipart/related` with one.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/related") {
        return None;
    }
    let mut rest = parameters;
    loop {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, tail) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        if name.trim_matches([' ', ';', '\t']).eq_ignore_ascii_case("boundary") {
            let value = value.trim();
            let is_sound = (1..=BOUNDARY_BYTES_MAX).contains(&value.len())
                && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            return is_sound.then(|| value.to_owned());
        }
        rest = tail;
    }
}

/// All parts of a body that comes in `pieces`: for tests and fuzzers.
pub(crate) fn collect(boundary: &str, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Fault> {
    let (mut parts, mut open) = (Vec::new(), Vec::new());
    let mut multipart = Multipart::new(boundary);
    for piece in pieces {
        multipart.feed(piece, &mut |event| {
            match event {
                Event::Part => open = Vec::new(),
                Event::Data(bytes) => open.extend_from_slice(bytes),
                Event::End => parts.push(std::mem::take(&mut open)),
            }
            Ok::<(), Fault>(())
        })?;
    }
    multipart.finish()?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] =
        b"a preamble\r\n--b  \r\nContent-Type: application/dicom\r\n\r\none\r\n--c\r\n-\r\n--b\r\n\r\n\r\n--b--\r\nan epilogue";

    #[test]
    fn parts_come_whole_wherever_the_body_is_cut() {
        let expected = vec![b"one\r\n--c\r\n-".to_vec(), Vec::new()];
        for cut in 0..BODY.len() {
            let (first, second) = BODY.split_at(cut);
            assert_eq!(collect("b", &[first, second]).unwrap(), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = BODY.chunks(1).collect();
        assert_eq!(collect("b", &bytes).unwrap(), expected);
    }

    #[test]
    fn a_cut_body_and_an_endless_header_are_faults() {
        assert_eq!(collect("b", &[&BODY[..BODY.len() - 20]]), Err(Fault::Cut));
        assert_eq!(collect("b", &[b""]), Err(Fault::Cut));
        let mut endless = b"--b\r\nX: ".to_vec();
        endless.resize(HEADER_BYTES_MAX + 100, b'x');
        assert_eq!(collect("b", &[&endless]), Err(Fault::HeaderTooLong));
    }

    #[test]
    fn what_is_held_does_not_grow_with_the_body() {
        let mut multipart = Multipart::new("b");
        let mut ignore = |_: Event<'_>| Ok::<(), Fault>(());
        multipart.feed(b"--b\r\n\r\n", &mut ignore).unwrap();
        for _ in 0..1000 {
            multipart.feed(&[b'\r'; 1000], &mut ignore).unwrap();
            assert!(multipart.held.len() < 16, "{}", multipart.held.len());
        }
    }

    #[test]
    fn boundaries_are_found() {
        for (text, expected) in [
            (
                "multipart/related; type=\"application/dicom\"; boundary=abc",
                Some("abc"),
            ),
            ("Multipart/Related;boundary=\"a b\";type=x", Some("a b")),
            (
                "multipart/related; start=\"boundary=evil; \"; Boundary=good",
                Some("good"),
            ),
            ("multipart/related; type=x", None),
            ("multipart/related; boundary=", None),
            ("application/dicom", None),
        ] {
            assert_eq!(boundary(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(parts in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), any::<u8>()], 0..60), 0..4), cut in 1usize..50) {
            let boundary = "bb-unlikely";
            let mut body = Vec::new();
            for part in &parts {
                body.extend_from_slice(format!("--{boundary}\r\nA: b\r\n\r\n").as_bytes());
                body.extend_from_slice(part);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("--{boundary}--").as_bytes());
            let pieces: Vec<&[u8]> = body.chunks(cut).collect();
            prop_assert_eq!(collect(boundary, &pieces).unwrap(), parts);
        }
    }
}
