//! Numbers as the bytes that travel.

use snowball_protocol::plan::UpdateEncoding;

use crate::{Coding, int8, top_k, words::to_bf16};

impl Coding {
    /// The bytes of `values`, which are finite and as many as the network has parameters. What is not finite is written as something, and
    /// means nothing.
    #[must_use]
    pub fn encode(&self, values: &[f32]) -> Vec<u8> {
        let expected = usize::try_from(*self.bytes().start()).unwrap_or_default();
        let mut bytes = Vec::with_capacity(expected);
        match self.encoding {
            UpdateEncoding::F32 => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            UpdateEncoding::Bf16 => bytes.extend(values.iter().flat_map(|value| to_bf16(*value))),
            UpdateEncoding::Int8 => int8::encode(values, &mut bytes),
            UpdateEncoding::TopK { share } => {
                top_k::encode(values, top_k::kept(share, values.len()), &mut bytes);
            }
        }
        bytes
    }
}
