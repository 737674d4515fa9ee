//! A network as a document: what `model.py` builds in PyTorch, and anybody else elsewhere.

use serde_json::{Value, json};
use snowball_layout::{Graph, NORM_EPSILON, Operation, Place, Step, Window};
use snowball_protocol::{StudyPlan, plan::HeadKind};

/// The content of `network.json`: the steps in order, each with the numbers of the steps that it needs; a layer has the name that its
/// weights have in the safetensors file, less `.weight` and `.bias`.
pub(crate) fn document(plan: &StudyPlan) -> Value {
    let graph = Graph::of(plan);
    let steps: Vec<Value> = graph.steps.iter().map(|step| describe(&graph, step)).collect();
    let told = plan
        .heads
        .iter()
        .filter(|head| !matches!(head.kind, HeadKind::Mask { .. }));
    let heads: Vec<Value> = told
        .zip(&graph.heads)
        .map(|(head, signal)| {
            let mut json = json!({ "label": head.label.code(), "step": signal.index() });
            match &head.kind {
                HeadKind::Classes(classes) => json["classes"] = json!(classes),
                HeadKind::Regression { unit } => json["unit"] = json!(unit),
                // Told of beside the heads: it has no output a radiograph.
                HeadKind::Mask { .. } => {}
            }
            json
        })
        .collect();
    let mut document = json!({
        "format": 1,
        "architecture": plan.network.architecture.code(),
        "width": plan.network.width,
        "side": plan.network.input_side,
        "preprocessing": plan.preprocessing,
        "steps": steps,
        "features": graph.features.index(),
        "heads": heads,
    });
    match (
        graph.picture,
        plan.mask_head().map(|head| (head.label.code(), &head.kind)),
    ) {
        (Some(picture), Some((label, HeadKind::Mask { classes }))) => {
            document["mask"] = json!({ "label": label, "classes": classes, "step": picture.index() });
        }
        (Some(picture), _) => document["reconstruction"] = json!(picture.index()),
        (None, _) => {}
    }
    if let Some(projection) = graph.projection {
        document["projection"] = json!(projection.index());
    }
    document
}

fn describe(graph: &Graph, step: &Step) -> Value {
    let inputs: Vec<usize> = step.inputs.iter().map(|input| input.index()).collect();
    let shape = |place: Place| graph.layout.tensors[place].shape.as_slice();
    let layer = |place: Place| graph.layout.tensors[place].name.trim_end_matches(".weight");
    let window = |window: Window| json!({ "side": window.side, "stride": window.stride, "padding": window.padding });
    let (operation, mut json) = match &step.operation {
        Operation::Picture => ("picture", json!({})),
        Operation::Convolution {
            weight,
            bias,
            size,
            stride,
            padding,
            groups,
        } => {
            let (outputs, channels) = (shape(*weight)[0], shape(*weight)[1] * groups);
            let json = json!({
                "layer": layer(*weight), "channels": channels, "outputs": outputs, "size": size, "stride": stride,
                "padding": padding, "groups": groups, "bias": bias.is_some(),
            });
            ("convolution", json)
        }
        Operation::GroupNorm { scale, groups, .. } => {
            let channels = shape(*scale)[0];
            let json = json!({
                "layer": layer(*scale), "channels": channels, "groups": groups, "epsilon": NORM_EPSILON,
            });
            ("group_norm", json)
        }
        Operation::Relu => ("relu", json!({})),
        Operation::MaxPool(side) => ("max_pool", window(*side)),
        Operation::MeanPool(side) => ("mean_pool", window(*side)),
        Operation::Grid(fields) => ("grid", json!({ "fields": fields })),
        Operation::Mean => ("mean", json!({})),
        Operation::Maximum => ("maximum", json!({})),
        Operation::Flatten => ("flatten", json!({})),
        Operation::Linear { weight, .. } => {
            let (outputs, features) = (shape(*weight)[0], shape(*weight)[1]);
            (
                "linear",
                json!({ "layer": layer(*weight), "features": features, "outputs": outputs }),
            )
        }
        Operation::Upsample => ("upsample", json!({})),
        Operation::Add => ("add", json!({})),
        Operation::Concat => ("concat", json!({})),
    };
    json["operation"] = json!(operation);
    json["inputs"] = json!(inputs);
    json
}
