//! From what the heads see to the few numbers that two views are compared by: two linear layers with a ReLU between (SimCLR, Chen et al.
//! 2020), the first as wide as the features. It lies behind the trunk as heads do, and is not taken along to another task: what is before
//! it is the better start (ibid., section 4.2).

use crate::{builder::Builder, graph::Signal};

/// Adds the projection of `features` to so many numbers.
pub(crate) fn vector(builder: &mut Builder, features: Signal, dimension: usize) -> Signal {
    let width = builder.width(features);
    let hidden = builder.linear(features, "projection.hidden", width);
    let hidden = builder.relu(hidden);
    builder.linear(hidden, "projection.output", dimension)
}
