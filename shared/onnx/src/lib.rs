//! A network and its parameters as an ONNX file: operator set 17, one file, any runtime.
//!
//! The steps are those of [`Graph`], which the trainer runs as well. Group norm, which the operator set lacks, is written as an instance
//! norm over the groups. Parameters go from their file into the new one without being held.
//!
//! Start at [`write()`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod message;
mod nodes;

use std::io::{self, Read, Write};

use prost::{Message as _, encoding::WireType};
use snowball_layout::{Graph, Shape};
use snowball_protocol::{StudyPlan, plan::HeadKind};

use message::{Dimension, Model, OperatorSet, Pair, Tensor, TensorType, Type, Value, data};
use nodes::Nodes;

/// Operators as of ONNX 1.12.
const OPERATOR_SET: i64 = 17;
/// The form of the file that goes with them.
const IR_VERSION: i64 = 8;
/// What is copied at once.
const BLOCK_BYTES: usize = 1 << 16;
/// The input's name.
const PICTURES: &str = "pictures";
/// The name of what the heads see.
const FEATURES: &str = "features";
/// The name of the picture that is drawn again.
const RECONSTRUCTION: &str = "reconstruction";
/// The name of what views are compared by.
const PROJECTION: &str = "projection";

/// Writes the network of `plan` with `parameters`, little-endian f32 in the layout's order. Its input is `pictures`, f32 `[N, 1, side,
/// side]` with the plan's side; its outputs are `features` `[N, features]`, which the heads see, and one `[N, outputs]` a head, called as
/// its label, of a mask `[N, outputs, side, side]`, `reconstruction` `[N, 1, side, side]` or `projection` `[N, dimension]`. `properties` go into the file as they are.
///
/// # Errors
/// When the system refuses, or `parameters` ends early.
pub fn write(
    plan: &StudyPlan,
    mut parameters: impl Read,
    properties: &[(&str, String)],
    out: &mut impl Write,
) -> io::Result<()> {
    let graph = Graph::of(plan);
    let side = plan.network.input_side as usize;
    let shapes = graph
        .shapes(side)
        .ok_or_else(|| io::Error::other("the plan's pictures are too small for its network"))?;
    let name = |signal: snowball_layout::Signal| nodes::signal_name(signal);
    let mut nodes = Nodes::new(&graph, &shapes);
    let mut output = vec![value(FEATURES, &dimensions(shapes[graph.features.index()]))];
    nodes.rename(name(graph.features), FEATURES);
    let told = plan
        .heads
        .iter()
        .filter(|head| !matches!(head.kind, HeadKind::Mask { .. }));
    for (head, signal) in told.zip(&graph.heads) {
        let label = head.label.code();
        nodes.rename(name(*signal), label);
        output.push(value(label, &dimensions(shapes[signal.index()])));
    }
    if let Some(signal) = graph.picture {
        let label = plan.mask_head().map_or(RECONSTRUCTION, |head| head.label.code());
        nodes.rename(name(signal), label);
        output.push(value(label, &dimensions(shapes[signal.index()])));
    }
    if let Some(signal) = graph.projection {
        nodes.rename(name(signal), PROJECTION);
        output.push(value(PROJECTION, &dimensions(shapes[signal.index()])));
    }
    let (node, constants, weights) = nodes.finish();
    let head = message::Graph {
        node,
        name: plan.study.to_string(),
        initializer: constants,
        input: vec![value(PICTURES, &dimensions(shapes[0]))],
        output,
    }
    .encode_to_vec();

    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "snowball".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: plan.title.clone(),
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
        metadata_props: properties
            .iter()
            .map(|(key, value)| Pair {
                key: (*key).to_owned(),
                value: value.clone(),
            })
            .collect(),
        graph: None,
    };
    out.write_all(&model.encode_to_vec())?;
    let framed: Vec<(Vec<u8>, u64)> = weights.iter().map(framed).collect();
    let tensors: u64 = framed.iter().map(|(frame, bytes)| frame.len() as u64 + bytes).sum();
    out.write_all(&frame(message::GRAPH, head.len() as u64 + tensors))?;
    out.write_all(&head)?;
    let mut block = vec![0; BLOCK_BYTES];
    for (frame, bytes) in framed {
        out.write_all(&frame)?;
        let mut left = bytes;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            parameters.read_exact(&mut block[..now])?;
            out.write_all(&block[..now])?;
            left -= now as u64;
        }
    }
    Ok(())
}

/// Everything of a tensor in a graph but its numbers, and how many bytes these are.
fn framed(tensor: &Tensor) -> (Vec<u8>, u64) {
    let bytes: u64 = tensor.dims.iter().map(|length| length.unsigned_abs()).product::<u64>() * 4;
    let mut body = tensor.encode_to_vec();
    body.extend(frame(message::RAW_DATA, bytes));
    let mut framed = frame(message::INITIALIZER, body.len() as u64 + bytes);
    framed.extend(body);
    (framed, bytes)
}

/// What goes before a field of `bytes` bytes.
fn frame(field: u32, bytes: u64) -> Vec<u8> {
    let mut frame = Vec::with_capacity(12);
    prost::encoding::encode_key(field, WireType::LengthDelimited, &mut frame);
    prost::encoding::encode_varint(bytes, &mut frame);
    frame
}

fn dimensions(shape: Shape) -> Vec<usize> {
    match shape {
        Shape::Picture(lengths) => lengths.to_vec(),
        Shape::Features(count) => vec![count],
    }
}

/// An input or output: any number of pictures, then `lengths`.
fn value(name: &str, lengths: &[usize]) -> Value {
    let batch = Dimension {
        value: None,
        name: Some("N".to_owned()),
    };
    let lengths = lengths.iter().map(|length| Dimension {
        value: Some(*length as i64),
        name: None,
    });
    Value {
        name: name.to_owned(),
        r#type: Some(Type {
            tensor_type: Some(TensorType {
                elem_type: data::FLOAT,
                shape: Some(message::Shape {
                    dim: std::iter::once(batch).chain(lengths).collect(),
                }),
            }),
        }),
    }
}

#[cfg(test)]
mod tests;
