//! What was not sent (Seide et al. 2014; Stich et al. 2018; Karimireddy et al. 2019).
//!
//! Before an update is encoded, what the one before left over is added to it; what the encoding leaves over of the sum stays for the next.
//! So nothing is lost, only late: over any number of rounds, what was sent is what was learned, less the last residual.

use crate::{Coding, DecodeFault};

/// What stays at the site of one update, and what left.
#[derive(Clone, PartialEq, Debug)]
pub struct Kept {
    /// Whether every number that is sent is finite.
    pub is_finite: bool,
    /// Euclidean norm of what is sent; of use only where it is finite.
    pub norm: f64,
}

/// Turns `wanted`, what a site would have sent, into what stays: takes off what the other side will read out of `bytes`.
///
/// # Errors
/// When `bytes` are not what [`Coding::encode`] makes of as many numbers.
pub fn keep_back(coding: &Coding, bytes: &[u8], wanted: &mut [f32]) -> Result<Kept, DecodeFault> {
    let (mut decoder, mut place) = (coding.decoder(), 0);
    let (mut is_finite, mut square_sum) = (true, 0.0);
    decoder.read(bytes, |sent| {
        let stays = wanted.get_mut(place..place + sent.len()).ok_or(DecodeFault::TooLong)?;
        for (stays, sent) in stays.iter_mut().zip(sent) {
            is_finite &= sent.is_finite();
            square_sum += f64::from(*sent) * f64::from(*sent);
            *stays -= sent;
        }
        place += sent.len();
        Ok(())
    })?;
    decoder.finish()?;
    if place == wanted.len() {
        Ok(Kept {
            is_finite,
            norm: square_sum.sqrt(),
        })
    } else {
        Err(DecodeFault::TooShort)
    }
}
