//! Frames over a pipe: a length, a kind, a body. Bounded on both sides.
//!
//! A frame is `u8` kind (0 JSON, 1 parameters), `u64` little-endian length, body.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};
use snowball_protocol::limits::PARAMETERS_MAX;
use zeroize::Zeroizing;

const JSON: u8 = 0;
const PARAMETERS: u8 = 1;
const JSON_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The other side closed its end or the system failed.
    #[error("the pipe to the other process broke")]
    Io(#[from] io::Error),
    /// Another kind of frame was due.
    #[error("a frame of kind {found} came where kind {expected} was due")]
    Kind {
        /// What came.
        found: u8,
        /// What was due.
        expected: u8,
    },
    /// Longer than the limit.
    #[error("a frame of {bytes} bytes is longer than the limit of {limit}")]
    TooLong {
        /// Its announced size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// Not the JSON that was due.
    #[error("a frame does not parse")]
    Json(#[from] serde_json::Error),
}

/// Sends one message.
///
/// # Errors
/// When the other side is gone.
pub fn send(pipe: &mut impl Write, message: &impl Serialize) -> Result<(), PipeError> {
    // A job holds its dataset's key.
    let body = Zeroizing::new(serde_json::to_vec(message)?);
    head(pipe, JSON, body.len() as u64)?;
    pipe.write_all(&body)?;
    Ok(pipe.flush()?)
}

/// Receives one message.
///
/// # Errors
/// When the other side is gone or sent anything else.
pub fn receive<T: DeserializeOwned>(pipe: &mut impl Read) -> Result<T, PipeError> {
    let length = expect(pipe, JSON, JSON_BYTES_MAX)?;
    let mut body = Zeroizing::new(vec![0; length]);
    pipe.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Sends parameters as little-endian f32.
///
/// # Errors
/// When the other side is gone.
pub fn send_parameters(pipe: &mut impl Write, parameters: &[f32]) -> Result<(), PipeError> {
    head(pipe, PARAMETERS, parameters.len() as u64 * 4)?;
    let mut block = Vec::with_capacity(64 * 1024);
    for chunk in parameters.chunks(16 * 1024) {
        block.clear();
        block.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        pipe.write_all(&block)?;
    }
    Ok(pipe.flush()?)
}

/// Receives exactly `count` parameters.
///
/// # Errors
/// When the other side is gone or sent another number of them.
pub fn receive_parameters(pipe: &mut impl Read, count: usize) -> Result<Vec<f32>, PipeError> {
    let limit = (count as u64).min(PARAMETERS_MAX) * 4;
    let length = expect(pipe, PARAMETERS, limit)?;
    if length as u64 != limit {
        return Err(PipeError::TooLong {
            bytes: length as u64,
            limit,
        });
    }
    let mut parameters = Vec::with_capacity(count);
    let mut block = vec![0; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let take = left.min(block.len());
        pipe.read_exact(&mut block[..take])?;
        parameters.extend(
            block[..take]
                .chunks_exact(4)
                .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])),
        );
        left -= take;
    }
    Ok(parameters)
}

fn head(pipe: &mut impl Write, kind: u8, length: u64) -> io::Result<()> {
    pipe.write_all(&[kind])?;
    pipe.write_all(&length.to_le_bytes())
}

fn expect(pipe: &mut impl Read, expected: u8, limit: u64) -> Result<usize, PipeError> {
    let mut kind = [0];
    pipe.read_exact(&mut kind)?;
    if kind[0] != expected {
        return Err(PipeError::Kind {
            found: kind[0],
            expected,
        });
    }
    let mut length = [0; 8];
    pipe.read_exact(&mut length)?;
    let bytes = u64::from_le_bytes(length);
    if bytes > limit {
        return Err(PipeError::TooLong { bytes, limit });
    }
    usize::try_from(bytes).map_err(|_| PipeError::TooLong { bytes, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_parameters_cross_in_order() {
        let mut pipe = Vec::new();
        let parameters: Vec<f32> = (0..40_000).map(|value| value as f32 * 0.5).collect();
        send(&mut pipe, &"hello").unwrap();
        send_parameters(&mut pipe, &parameters).unwrap();
        let mut read = pipe.as_slice();
        assert_eq!(receive::<String>(&mut read).unwrap(), "hello");
        assert_eq!(receive_parameters(&mut read, parameters.len()).unwrap(), parameters);
        assert!(matches!(receive::<String>(&mut read), Err(PipeError::Io(_))));
    }

    #[test]
    fn a_frame_of_absurd_length_is_refused_before_memory_is_taken() {
        let mut frame = vec![JSON];
        frame.extend(u64::MAX.to_le_bytes());
        assert!(matches!(
            receive::<String>(&mut frame.as_slice()),
            Err(PipeError::TooLong { .. })
        ));
        let mut pipe = Vec::new();
        send_parameters(&mut pipe, &[1.0, 2.0]).unwrap();
        assert!(receive_parameters(&mut pipe.as_slice(), 3).is_err());
    }
}
