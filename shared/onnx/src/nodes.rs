//! The steps of a network as ONNX nodes.

use std::collections::BTreeMap;

use snowball_layout::{Graph, NORM_EPSILON, Operation, Place, Shape, Signal, Step, Window};

use crate::{
    PICTURES,
    message::{Attribute, Node, Tensor, data, kind},
};

/// What a signal is called.
pub(crate) fn signal_name(signal: Signal) -> String {
    match signal.index() {
        0 => PICTURES.to_owned(),
        step => format!("step{step}"),
    }
}

/// The nodes, small constants, and the network's own tensors without their numbers.
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    constants: BTreeMap<String, Tensor>,
    weights: Vec<Tensor>,
}

impl Nodes {
    pub(crate) fn new(graph: &Graph, shapes: &[Shape]) -> Self {
        let weights = graph.layout.tensors.iter().map(|tensor| Tensor {
            dims: tensor.shape.iter().map(|length| *length as i64).collect(),
            data_type: data::FLOAT,
            name: tensor.name.clone(),
            raw_data: Vec::new(),
        });
        let mut nodes = Self {
            nodes: Vec::new(),
            constants: BTreeMap::new(),
            weights: weights.collect(),
        };
        for (number, step) in graph.steps.iter().enumerate().skip(1) {
            nodes.step(number, step, shapes);
        }
        nodes
    }

    /// Calls a signal by another name.
    pub(crate) fn rename(&mut self, from: String, to: &str) {
        for node in &mut self.nodes {
            for name in node.input.iter_mut().chain(&mut node.output) {
                if *name == from {
                    to.clone_into(name);
                }
            }
        }
    }

    pub(crate) fn finish(self) -> (Vec<Node>, Vec<Tensor>, Vec<Tensor>) {
        (self.nodes, self.constants.into_values().collect(), self.weights)
    }

    fn step(&mut self, number: usize, step: &Step, shapes: &[Shape]) {
        let out = format!("step{number}");
        let inputs: Vec<String> = step.inputs.iter().map(|input| signal_name(*input)).collect();
        let before = step.inputs.first().map(|input| shapes[input.index()]);
        match &step.operation {
            Operation::Picture => {}
            Operation::Convolution {
                weight,
                bias,
                size,
                stride,
                padding: [rows, columns],
                groups,
            } => {
                let mut inputs = inputs;
                inputs.push(self.weights[*weight].name.clone());
                inputs.extend(bias.map(|bias| self.weights[bias].name.clone()));
                let attributes = vec![
                    integers("kernel_shape", &size.map(|length| length as i64)),
                    integers("strides", &[*stride as i64; 2]),
                    integers("pads", &[*rows, *columns, *rows, *columns].map(|length| length as i64)),
                    integer("group", *groups as i64),
                ];
                self.node("Conv", inputs, &out, attributes);
            }
            Operation::GroupNorm { scale, shift, groups } => {
                let Some(Shape::Picture(lengths)) = before else { return };
                self.group_norm(&inputs, &out, [*scale, *shift], *groups, lengths);
            }
            Operation::Relu => self.node("Relu", inputs, &out, Vec::new()),
            Operation::MaxPool(window) => self.node("MaxPool", inputs, &out, slides(*window)),
            Operation::MeanPool(window) => {
                let mut attributes = slides(*window);
                attributes.push(integer("count_include_pad", 1));
                self.node("AveragePool", inputs, &out, attributes);
            }
            Operation::Grid(fields) => {
                let Some(Shape::Picture([_, height, width])) = before else {
                    return;
                };
                self.grid(&inputs, &out, *fields, [height, width]);
            }
            Operation::Mean | Operation::Maximum => {
                let pool = if step.operation == Operation::Mean {
                    "GlobalAveragePool"
                } else {
                    "GlobalMaxPool"
                };
                let pooled = format!("{out}.pooled");
                self.node(pool, inputs, &pooled, Vec::new());
                self.node("Flatten", vec![pooled], &out, vec![integer("axis", 1)]);
            }
            Operation::Flatten => self.node("Flatten", inputs, &out, vec![integer("axis", 1)]),
            Operation::Linear { weight, bias } => {
                let mut inputs = inputs;
                inputs.extend([*weight, *bias].map(|place| self.weights[place].name.clone()));
                self.node("Gemm", inputs, &out, vec![integer("transB", 1)]);
            }
            Operation::Upsample => {
                let [
                    Some(Shape::Picture([_, h, w])),
                    Some(Shape::Picture([_, height, width])),
                ] = [before, step.inputs.get(1).map(|input| shapes[input.index()])]
                else {
                    return;
                };
                self.upsample(&inputs[0], &out, [h, w], [height, width]);
            }
            Operation::Add => self.node("Add", inputs, &out, Vec::new()),
            Operation::Concat => self.node("Concat", inputs, &out, vec![integer("axis", 1)]),
        }
    }

    /// Each group as one channel of an instance norm, then scale and shift of each channel.
    fn group_norm(&mut self, inputs: &[String], out: &str, affine: [Place; 2], groups: usize, lengths: [usize; 3]) {
        let [channels, height, width] = lengths.map(|length| length as i64);
        // A length of 0 is that of the input.
        let grouped = self.shape(&[0, groups as i64, -1]);
        let whole = self.shape(&[0, channels, height, width]);
        let (ones, zeros) = (self.filled(1.0, groups), self.filled(0.0, groups));
        let input = inputs[0].clone();
        let [flat, normal, back, scaled] = ["grouped", "normal", "whole", "scaled"].map(|part| format!("{out}.{part}"));
        self.node("Reshape", vec![input, grouped], &flat, Vec::new());
        let epsilon = vec![float("epsilon", NORM_EPSILON as f32)];
        self.node("InstanceNormalization", vec![flat, ones, zeros], &normal, epsilon);
        self.node("Reshape", vec![normal, whole], &back, Vec::new());
        for place in affine {
            self.weights[place].dims = vec![channels, 1, 1];
        }
        let [scale, shift] = affine.map(|place| self.weights[place].name.clone());
        self.node("Mul", vec![back, scale], &scaled, Vec::new());
        self.node("Add", vec![scaled, shift], out, Vec::new());
    }

    /// Each value twice in both directions, then what goes beyond `size` cut off.
    fn upsample(&mut self, input: &str, out: &str, [h, w]: [usize; 2], [height, width]: [usize; 2]) {
        let scales = self.constant("scales.twice".to_owned(), &[4], vec![1.0, 1.0, 2.0, 2.0]);
        let is_whole = [height, width] == [2 * h, 2 * w];
        let twice = if is_whole {
            out.to_owned()
        } else {
            format!("{out}.twice")
        };
        let attributes = vec![
            text("mode", "nearest"),
            text("coordinate_transformation_mode", "asymmetric"),
            text("nearest_mode", "floor"),
        ];
        // The region of interest is of no use here, and has no name.
        let inputs = vec![input.to_owned(), String::new(), scales];
        self.node("Resize", inputs, &twice, attributes);
        if !is_whole {
            let (begins, ends) = (self.shape(&[0, 0]), self.shape(&[height as i64, width as i64]));
            let axes = self.shape(&[2, 3]);
            self.node("Slice", vec![twice, begins, ends, axes], out, Vec::new());
        }
    }

    /// The means of a grid as two products: which rows, and which columns, a field is the mean of.
    fn grid(&mut self, inputs: &[String], out: &str, fields: usize, [height, width]: [usize; 2]) {
        let rows = self.constant(
            format!("grid.{fields}x{height}"),
            &[fields, height],
            means(fields, height),
        );
        let mut columns = vec![0.0; width * fields];
        for (position, share) in means(fields, width).into_iter().enumerate() {
            columns[position % width * fields + position / width] = share;
        }
        let columns = self.constant(format!("grid.{width}x{fields}.columns"), &[width, fields], columns);
        let tall = format!("{out}.rows");
        self.node("MatMul", vec![rows, inputs[0].clone()], &tall, Vec::new());
        self.node("MatMul", vec![tall, columns], out, Vec::new());
    }

    fn node(&mut self, operator: &str, input: Vec<String>, output: &str, attribute: Vec<Attribute>) {
        self.nodes.push(Node {
            input,
            output: vec![output.to_owned()],
            name: format!("{output}/{operator}"),
            op_type: operator.to_owned(),
            attribute,
        });
    }

    fn shape(&mut self, lengths: &[i64]) -> String {
        let words: Vec<String> = lengths.iter().map(ToString::to_string).collect();
        let name = format!("shape.{}", words.join("."));
        self.constants.entry(name.clone()).or_insert_with(|| Tensor {
            dims: vec![lengths.len() as i64],
            data_type: data::INT64,
            name: name.clone(),
            raw_data: lengths.iter().flat_map(|length| length.to_le_bytes()).collect(),
        });
        name
    }

    fn filled(&mut self, value: f32, count: usize) -> String {
        self.constant(format!("filled.{value}.{count}"), &[count], vec![value; count])
    }

    fn constant(&mut self, name: String, lengths: &[usize], values: Vec<f32>) -> String {
        self.constants.entry(name.clone()).or_insert_with(|| Tensor {
            dims: lengths.iter().map(|length| *length as i64).collect(),
            data_type: data::FLOAT,
            name: name.clone(),
            raw_data: snowball_layout::to_le_bytes(&values),
        });
        name
    }
}

/// Row by row, the share of each of `length` places in each of `fields` fields: from the floor of its begin to the ceiling of its end.
fn means(fields: usize, length: usize) -> Vec<f32> {
    let mut shares = vec![0.0; fields * length];
    for field in 0..fields {
        let places = field * length / fields..((field + 1) * length).div_ceil(fields);
        let share = 1.0 / places.len() as f32;
        shares[field * length..][places].fill(share);
    }
    shares
}

fn slides(window: Window) -> Vec<Attribute> {
    vec![
        integers("kernel_shape", &[window.side as i64; 2]),
        integers("strides", &[window.stride as i64; 2]),
        integers("pads", &[window.padding as i64; 4]),
    ]
}

fn integers(name: &str, values: &[i64]) -> Attribute {
    Attribute {
        name: name.to_owned(),
        integers: values.to_vec(),
        kind: kind::INTS,
        ..Attribute::default()
    }
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        text: Some(value.as_bytes().to_vec()),
        kind: kind::STRING,
        ..Attribute::default()
    }
}

fn integer(name: &str, value: i64) -> Attribute {
    Attribute {
        name: name.to_owned(),
        integer: Some(value),
        kind: kind::INT,
        ..Attribute::default()
    }
}

fn float(name: &str, value: f32) -> Attribute {
    Attribute {
        name: name.to_owned(),
        float: Some(value),
        kind: kind::FLOAT,
        ..Attribute::default()
    }
}
