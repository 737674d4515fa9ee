//! Inception V3 (Szegedy et al. 2016), in torchvision's form, without the auxiliary classifier.

use super::scaled;
use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::{Operation, Signal},
};

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Signal {
    let of = |channels: usize| scaled(channels, width);
    let mut signal = builder.unit(PICTURE, "trunk.stem1", Kernel::square(of(32), 3).stride(2).padding(0));
    signal = builder.unit(signal, "trunk.stem2", Kernel::square(of(32), 3).padding(0));
    signal = builder.unit(signal, "trunk.stem3", Kernel::square(of(64), 3));
    signal = builder.max_pool(signal, 3, 2, 0);
    signal = builder.unit(signal, "trunk.stem4", Kernel::square(of(80), 1));
    signal = builder.unit(signal, "trunk.stem5", Kernel::square(of(192), 3).padding(0));
    signal = builder.max_pool(signal, 3, 2, 0);
    let mut net = Mixed { builder, width };
    for (name, pooled) in [("trunk.mixed5b", 32), ("trunk.mixed5c", 64), ("trunk.mixed5d", 64)] {
        signal = net.wide(signal, name, pooled);
    }
    signal = net.first_halving(signal, "trunk.mixed6a");
    for (name, narrow) in [
        ("trunk.mixed6b", 128),
        ("trunk.mixed6c", 160),
        ("trunk.mixed6d", 160),
        ("trunk.mixed6e", 192),
    ] {
        signal = net.long(signal, name, narrow);
    }
    signal = net.second_halving(signal, "trunk.mixed7a");
    for name in ["trunk.mixed7b", "trunk.mixed7c"] {
        signal = net.split(signal, name);
    }
    builder.pooled(Operation::Mean, signal)
}

/// The mixed blocks: several ways side by side, one after another in the channels.
struct Mixed<'a> {
    builder: &'a mut Builder,
    width: usize,
}

impl Mixed<'_> {
    /// One unit of a way; `channels` are the paper's.
    fn unit(&mut self, input: Signal, name: &str, channels: usize, size: [usize; 2]) -> Signal {
        let kernel = Kernel::of(scaled(channels, self.width), size);
        self.builder.unit(input, name, kernel)
    }

    /// A unit 3x3 that halves the size, without padding.
    fn halving(&mut self, input: Signal, name: &str, channels: usize) -> Signal {
        let kernel = Kernel::square(scaled(channels, self.width), 3).stride(2).padding(0);
        self.builder.unit(input, name, kernel)
    }

    /// The last way of most blocks: a mean over 3x3, then 1x1.
    fn pooled(&mut self, input: Signal, name: &str, channels: usize) -> Signal {
        let mean = self.builder.mean_pool(input, 3, 1, 1);
        self.unit(mean, &format!("{name}.pool"), channels, [1, 1])
    }

    fn wide(&mut self, input: Signal, name: &str, pooled: usize) -> Signal {
        let one = self.unit(input, &format!("{name}.one"), 64, [1, 1]);
        let five = self.unit(input, &format!("{name}.five1"), 48, [1, 1]);
        let five = self.unit(five, &format!("{name}.five2"), 64, [5, 5]);
        let three = self.unit(input, &format!("{name}.three1"), 64, [1, 1]);
        let three = self.unit(three, &format!("{name}.three2"), 96, [3, 3]);
        let three = self.unit(three, &format!("{name}.three3"), 96, [3, 3]);
        let pool = self.pooled(input, name, pooled);
        self.builder.concat(vec![one, five, three, pool])
    }

    fn first_halving(&mut self, input: Signal, name: &str) -> Signal {
        let three = self.halving(input, &format!("{name}.three"), 384);
        let double = self.unit(input, &format!("{name}.double1"), 64, [1, 1]);
        let double = self.unit(double, &format!("{name}.double2"), 96, [3, 3]);
        let double = self.halving(double, &format!("{name}.double3"), 96);
        let pool = self.builder.max_pool(input, 3, 2, 0);
        self.builder.concat(vec![three, double, pool])
    }

    fn long(&mut self, input: Signal, name: &str, narrow: usize) -> Signal {
        let one = self.unit(input, &format!("{name}.one"), 192, [1, 1]);
        let seven = self.unit(input, &format!("{name}.seven1"), narrow, [1, 1]);
        let seven = self.unit(seven, &format!("{name}.seven2"), narrow, [1, 7]);
        let seven = self.unit(seven, &format!("{name}.seven3"), 192, [7, 1]);
        let mut double = self.unit(input, &format!("{name}.double1"), narrow, [1, 1]);
        for (position, (channels, size)) in [(narrow, [7, 1]), (narrow, [1, 7]), (narrow, [7, 1]), (192, [1, 7])]
            .into_iter()
            .enumerate()
        {
            double = self.unit(double, &format!("{name}.double{}", position + 2), channels, size);
        }
        let pool = self.pooled(input, name, 192);
        self.builder.concat(vec![one, seven, double, pool])
    }

    fn second_halving(&mut self, input: Signal, name: &str) -> Signal {
        let three = self.unit(input, &format!("{name}.three1"), 192, [1, 1]);
        let three = self.halving(three, &format!("{name}.three2"), 320);
        let seven = self.unit(input, &format!("{name}.seven1"), 192, [1, 1]);
        let seven = self.unit(seven, &format!("{name}.seven2"), 192, [1, 7]);
        let seven = self.unit(seven, &format!("{name}.seven3"), 192, [7, 1]);
        let seven = self.halving(seven, &format!("{name}.seven4"), 192);
        let pool = self.builder.max_pool(input, 3, 2, 0);
        self.builder.concat(vec![three, seven, pool])
    }

    fn split(&mut self, input: Signal, name: &str) -> Signal {
        let one = self.unit(input, &format!("{name}.one"), 320, [1, 1]);
        let three = self.unit(input, &format!("{name}.three1"), 384, [1, 1]);
        let flat = self.unit(three, &format!("{name}.three2"), 384, [1, 3]);
        let tall = self.unit(three, &format!("{name}.three3"), 384, [3, 1]);
        let double = self.unit(input, &format!("{name}.double1"), 448, [1, 1]);
        let double = self.unit(double, &format!("{name}.double2"), 384, [3, 3]);
        let double_flat = self.unit(double, &format!("{name}.double3"), 384, [1, 3]);
        let double_tall = self.unit(double, &format!("{name}.double4"), 384, [3, 1]);
        let pool = self.pooled(input, name, 192);
        self.builder
            .concat(vec![one, flat, tall, double_flat, double_tall, pool])
    }
}
