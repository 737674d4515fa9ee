//! From what an encoder makes of a picture back to a picture: the decoder of an autoencoder, and U-Net's (Ronneberger et al. 2015).
//!
//! Both double the scale until the picture's, from eight times the width on and with half the channels each time; then a convolution 1x1
//! gives one channel, of a mask one a class. A scale is doubled by repeating each value (nearest), which three runtimes do alike to the
//! last bit, and a convolution follows, so that no checkerboard comes of it (Odena et al. 2016). The plain decoder is light, as He et al.
//! 2022 advise: one convolution a scale. U-Net's first takes in the encoder's stage of the same size and has two convolutions a scale, as
//! the paper's.

use snowball_protocol::plan::Decoder;

use super::{STAGES, Trunk};
use crate::{
    builder::{Builder, CHANNELS_PER_GROUP, Kernel, PICTURE},
    graph::Signal,
};

/// Adds the decoder on the stages of `trunk`, the largest first, and gives what it draws: a convolution 1x1 called `last`, of so many
/// channels.
pub(crate) fn picture(
    builder: &mut Builder,
    trunk: &Trunk,
    width: usize,
    decoder: Decoder,
    (last, outputs): (&str, usize),
) -> Option<Signal> {
    let (deepest, skips) = trunk.stages.split_last()?;
    let mut signal = *deepest;
    let mut channels = width << (STAGES - 1);
    for (number, size) in skips.iter().rev().chain([&PICTURE]).enumerate() {
        let name = format!("decoder.scale{}", number + 1);
        channels = (channels / 2).next_multiple_of(CHANNELS_PER_GROUP);
        let kernel = Kernel::square(channels, 3);
        signal = builder.upsample(signal, *size);
        signal = match decoder {
            Decoder::Plain => builder.unit(signal, &name, kernel),
            Decoder::UNet => {
                // The picture itself is no stage of the encoder.
                if *size != PICTURE {
                    signal = builder.concat(vec![signal, *size]);
                }
                signal = builder.unit(signal, &format!("{name}.0"), kernel);
                builder.unit(signal, &format!("{name}.1"), kernel)
            }
        };
    }
    Some(builder.drawn(signal, last, outputs))
}
