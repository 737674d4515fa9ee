//! Where in a radiograph an output came from: Grad-CAM on the last map that the head sees (Selvaraju et al. 2017, equations 1 and 2, before
//! the rectification, which is left to who draws it).
//!
//! Chosen because it depends on what the network has learned: it passes the tests by which Adebayo et al. (2018) found several other maps
//! to be little more than edge detectors. It is coarse, and it does not find lesions reliably (Arun et al. 2021).

use burn::tensor::{Tensor, TensorData};
use snowball_models::Network;
use snowball_worker::job::{Answer, EXPLAINED_MAX, ExplainJob, SaliencyMap};

use crate::{
    answers::Answers,
    device::Place,
    evaluate::{largest, pictures},
    examples::Examples,
    failure::Failure,
    passes::read,
};

/// Pictures that go through the network at once, with the way back kept.
const SLICE: usize = 8;

/// Tells a map for each radiograph of `job`, in the job's order.
pub fn explain<W: std::io::Write>(
    job: &ExplainJob,
    place: &Place,
    parameters: &[f32],
    answers: &mut Answers<W>,
) -> Result<(), Failure> {
    let examples = Examples::open(&job.of.plan, &job.of.dataset)?;
    let part = examples.part(job.of.part);
    let is_sound = job.radiographs.len() <= EXPLAINED_MAX
        && (job.head as usize) < job.of.plan.heads.len()
        && job.radiographs.iter().all(|place| (*place as usize) < part.len());
    if !is_sound {
        return Err(Failure::new(
            format!(
                "maps of {} radiographs were asked for, or of a head or radiograph that is not there",
                job.radiographs.len()
            ),
            format!("ask for {EXPLAINED_MAX} radiographs of the part at most"),
        ));
    }
    let network = Network::load(&job.of.plan, parameters, &place.device.clone().autodiff())?;
    for asked in job.radiographs.chunks(SLICE) {
        let slice: Vec<usize> = asked.iter().map(|place| part[*place as usize]).collect();
        let pictures = pictures(&job.of.plan, &examples, &slice, &place.device.clone().autodiff())?;
        for (map, radiograph) in maps(&network, pictures, job.head as usize)?.into_iter().zip(asked) {
            answers.send(&Answer::Explained(SaliencyMap {
                radiograph: *radiograph,
                ..map
            }))?;
        }
    }
    let radiographs = job.radiographs.len() as u64;
    Ok(answers.send(&Answer::Done { radiographs })?)
}

/// A map for each picture, of the output that the head at place `head` says.
fn maps(network: &Network, pictures: Tensor<4>, head: usize) -> Result<Vec<SaliencyMap>, Failure> {
    let device = pictures.device();
    let (map, output) = network.last_map(pictures, head)?;
    let [count, outputs] = output.dims();
    let [_, channels, height, width] = map.dims();
    let said: Vec<usize> = read(output.clone().detach())?
        .chunks(outputs)
        .map(|row| largest(row).unwrap_or(0))
        .collect();
    let mut chosen = vec![0.0_f32; count * outputs];
    for (row, said) in said.iter().enumerate() {
        chosen[row * outputs + said] = 1.0;
    }
    // Pictures do not see each other, so one way back serves all of them.
    let chosen = Tensor::from_data(TensorData::new(chosen, [count, outputs]), &device);
    let gradients = (output * chosen).sum().backward();
    let places = height * width;
    let values = read(map.clone().detach().reshape([count, channels * places]))?;
    let slopes = match map.grad(&gradients) {
        Some(slopes) => read(slopes.reshape([count, channels * places]))?,
        None => vec![0.0; values.len()],
    };
    let of_picture = channels * places;
    let each = values.chunks(of_picture).zip(slopes.chunks(of_picture)).zip(said);
    Ok(each
        .map(|((values, slopes), said)| SaliencyMap {
            radiograph: 0,
            output: said as u32,
            height: height as u32,
            width: width as u32,
            values: weighted(values, slopes, places),
        })
        .collect())
}

/// The channels of a map added up, each weighted by the mean of its slopes.
fn weighted(values: &[f32], slopes: &[f32], places: usize) -> Vec<f32> {
    let mut sum = vec![0.0; places];
    for (values, slopes) in values.chunks(places).zip(slopes.chunks(places)) {
        let weight = slopes.iter().sum::<f32>() / places as f32;
        sum.iter_mut()
            .zip(values)
            .for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}

#[cfg(test)]
mod tests {
    use snowball_layout::Layout;
    use snowball_protocol::{StudyPlan, plan::Architecture};

    use super::*;
    use crate::device::Place;

    fn plan(architecture: Architecture) -> StudyPlan {
        let mut plan: StudyPlan = serde_json::from_str(include_str!("probe.json")).unwrap();
        plan.network.architecture = architecture;
        plan
    }

    fn drawn(side: usize, at: (usize, usize), device: &burn::tensor::Device) -> Tensor<4> {
        let values: Vec<f32> = (0..side * side)
            .map(|place| {
                let near = (place / side).abs_diff(at.0) < 4 && (place % side).abs_diff(at.1) < 4;
                if near { 2.0 } else { -1.0 }
            })
            .collect();
        Tensor::from_data(TensorData::new(values, [1, 1, side, side]), device)
    }

    /// Where features are means over the map and a head is linear in them, the map adds up to what the output is beyond the bias.
    #[test]
    fn a_map_adds_up_to_the_output() {
        let plan = plan(Architecture::ResNet18);
        let place = Place::cpu();
        let device = place.device.clone().autodiff();
        let layout = Layout::of(&plan);
        let parameters = layout.initial_parameters(5);
        let network = Network::load(&plan, &parameters, &device).unwrap();
        for (head, kind) in plan.heads.iter().enumerate() {
            let pictures = drawn(32, (8, 20), &device);
            let map = maps(&network, pictures.clone(), head).unwrap().remove(0);
            let outputs = read(network.forward(pictures).unwrap().remove(head).detach()).unwrap();
            let bias = layout.tensor(&format!("heads.{}.bias", kind.label.code())).unwrap();
            let bias = parameters[bias.offset + map.output as usize];
            let sum: f32 = map.values.iter().sum();
            assert!(
                (sum + bias - outputs[map.output as usize]).abs() < 1e-4,
                "{sum} {bias} {outputs:?}"
            );
            assert_eq!(largest(&outputs), Some(map.output as usize));
            assert_eq!(map.values.len(), (map.height * map.width) as usize);
            assert!(map.values.iter().any(|value| *value != 0.0));
        }
    }

    /// Adebayo et al. 2018: a map that does not change with the weights shows the picture and not the network.
    #[test]
    fn a_map_is_of_the_network_and_not_only_of_the_picture() {
        for architecture in [Architecture::Small, Architecture::ResNet18] {
            let plan = plan(architecture);
            let place = Place::cpu();
            let device = place.device.clone().autodiff();
            let map = |seed| {
                let parameters = Layout::of(&plan).initial_parameters(seed);
                let network = Network::load(&plan, &parameters, &device).unwrap();
                maps(&network, drawn(32, (8, 20), &device), 0).unwrap().remove(0).values
            };
            assert_eq!(map(5), map(5));
            assert_ne!(map(5), map(6));
        }
    }
}
