//! `predict`: what a model says of each radiograph of this site, as a table and as pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use snowball_protocol::{
    StudyPlan,
    plan::{Head, HeadKind},
};
use snowball_service::files;
use snowball_worker::{
    job::{EXPLAINED_MAX, SaliencyMap},
    shard::Shard,
};

use super::{
    Context,
    kept_model::{KeptModel, Opened, PartChoice},
};
use crate::{
    outputs::Told,
    overlay,
    page::{self, Saliency, SaliencyPicture},
};

/// Write what a model says of each radiograph, and pictures of where it came from. Both are of patients and stay on site; the policy must
/// permit it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node predict --plan plan.toml --model local --out predictions.csv\n  hospital-node predict --plan plan.toml --model federated --out predictions.csv \\\n    --pictures maps --head age --count 40"
)]
pub struct Predict {
    #[command(flatten)]
    of: KeptModel,
    /// On which patients.
    #[arg(long, value_enum, default_value_t = PartChoice::Testing)]
    part: PartChoice,
    /// The CSV file to write: one line a radiograph.
    #[arg(long)]
    out: PathBuf,
    /// A folder for pictures with a saliency map laid over them, and a page of all of them. A saliency map shows what moved the output,
    /// not why.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// How many pictures at most, evenly over the part.
    #[arg(long, default_value_t = 24, requires = "pictures", value_parser = clap::value_parser!(u32).range(1..=EXPLAINED_MAX as i64))]
    count: u32,
    /// Of which label the pictures show the output; absent: the plan's first.
    #[arg(long, requires = "pictures", value_name = "LABEL")]
    head: Option<String>,
}

impl Predict {
    pub fn run(self, context: &Context) -> Result<()> {
        let opened = self.of.open(context)?;
        if opened.plan.mask_head().is_some() {
            bail!("the plan's network draws masks; hospital-node segment writes them");
        }
        let head = self.place(&opened.plan)?;
        let part = self.part.part();
        let shard = Shard::open(&opened.dataset.source)?;
        let told = opened.asked().tell(&shard, part)?;
        let table = table(&opened.plan, &told)?;
        files::write_private(&self.out, &table).with_context(|| format!("cannot write {}", self.out.display()))?;
        let mut drawn = 0;
        if let Some(folder) = &self.pictures {
            drawn = self.draw(folder, &opened, &shard, &told, head)?;
        }
        let document = serde_json::json!({
            "study": opened.plan.study, "model_digest": opened.digest, "part": part, "radiographs": told.len(), "file": self.out,
            "pictures": self.pictures, "drawn": drawn,
        });
        context.print(&document, || {
            let mut text = format!(
                "{} radiographs of the {} part in {}",
                told.len(),
                part.name(),
                self.out.display()
            );
            if let Some(folder) = &self.pictures {
                text += &format!(
                    "\n{drawn} pictures in {}; open index.html there. A saliency map shows what moved the output, not why.",
                    folder.display()
                );
            }
            text + "\nThese are patients' data, readable by you alone (0600): they stay on site; delete them when you are done."
        })
    }

    /// The head whose outputs pictures show.
    fn place(&self, plan: &StudyPlan) -> Result<usize> {
        let codes: Vec<&str> = plan.heads.iter().map(|head| head.label.code()).collect();
        ensure!(
            !codes.is_empty(),
            "the plan has no head: its network says nothing of a radiograph"
        );
        match &self.head {
            None => Ok(0),
            Some(wanted) => codes
                .iter()
                .position(|code| code == wanted)
                .with_context(|| format!("the plan has no head {wanted}; it has {}", codes.join(", "))),
        }
    }

    /// Draws some radiographs of `told`, evenly over it, into `folder`.
    fn draw(&self, folder: &Path, opened: &Opened, shard: &Shard, told: &[Told], head: usize) -> Result<usize> {
        let (plan, part) = (&opened.plan, self.part.part());
        let places = evenly(told.len(), self.count as usize);
        let maps = opened.asked().explain(part, head, &places)?;
        files::create_home(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let positions = shard.part(part);
        let mut pictures = Vec::with_capacity(maps.len());
        for (number, (place, map)) in (1..).zip(places.iter().zip(&maps)) {
            let square = shard.square(positions[*place])?;
            let png = overlay::png(&square, shard.manifest().side, map)?;
            let file = format!("{number:03}.png");
            let path = folder.join(&file);
            files::write_private(&path, &png).with_context(|| format!("cannot write {}", path.display()))?;
            pictures.push(picture(number, file, plan, head, &told[*place], map, &png)?);
        }
        let drawn = pictures.len();
        let page = Saliency {
            study: plan.study.as_str(),
            label: plan.heads[head].label.code().replace('_', " "),
            part: part.name(),
            pictures,
        };
        let path = folder.join("index.html");
        files::write_private(&path, page::saliency(&page)?.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(drawn)
    }
}

fn picture(
    number: usize,
    file: String,
    plan: &StudyPlan,
    place: usize,
    told: &Told,
    map: &SaliencyMap,
    png: &[u8],
) -> Result<SaliencyPicture> {
    let head = &plan.heads[place];
    let begin: usize = plan.heads[..place].iter().map(Head::outputs).sum();
    let output = map.output as usize;
    if output >= head.outputs() {
        bail!("the trainer explained an output that the head does not have");
    }
    let value = told.outputs[begin + output];
    let (said, truth) = match &head.kind {
        HeadKind::Classes(classes) => (
            format!("{} ({:.0} %)", classes[output], value * 100.0),
            head.class(&told.record.labels).map(|class| classes[class].clone()),
        ),
        HeadKind::Mask { .. } => bail!("a mask is drawn and not told"),
        HeadKind::Regression { .. } => (
            format!("{value:.1}"),
            head.number(&told.record.labels).map(|number| format!("{number:.1}")),
        ),
    };
    Ok(SaliencyPicture {
        number,
        file,
        radiograph: told.record.radiograph.clone(),
        said,
        truth,
        width: map.width,
        height: map.height,
        raises: overlay::raises(map),
        png: STANDARD.encode(png),
    })
}

/// The CSV: `radiograph`, `part`, then for each head its true label (empty where none is held), what the model says, and for classes the
/// probability of each.
fn table(plan: &StudyPlan, told: &[Told]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut columns = vec!["radiograph".to_owned(), "part".to_owned()];
    for head in &plan.heads {
        let label = head.label.code();
        columns.extend([label.to_owned(), format!("{label}_said")]);
        if let HeadKind::Classes(classes) = &head.kind {
            columns.extend(classes.iter().map(|class| format!("{label}_p_{class}")));
        }
    }
    writer.write_record(&columns)?;
    for told in told {
        let mut row = vec![told.record.radiograph.clone(), told.record.part.name().to_owned()];
        let mut outputs = told.outputs.as_slice();
        for head in &plan.heads {
            let (own, rest) = outputs
                .split_at_checked(head.outputs())
                .context("the trainer told too few outputs")?;
            outputs = rest;
            cells(head, told, own, &mut row);
        }
        writer.write_record(&row)?;
    }
    let rows = writer.into_inner();
    rows.map_err(|fault| anyhow!("cannot write the table: {}", fault.error()))
}

fn cells(head: &Head, told: &Told, outputs: &[f32], row: &mut Vec<String>) {
    match &head.kind {
        HeadKind::Classes(classes) => {
            let truth = head.class(&told.record.labels).map(|class| classes[class].clone());
            let said = outputs.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
            row.push(truth.unwrap_or_default());
            row.push(said.map(|(class, _)| classes[class].clone()).unwrap_or_default());
            row.extend(outputs.iter().map(|probability| format!("{probability:.6}")));
        }
        HeadKind::Mask { .. } => {}
        HeadKind::Regression { .. } => {
            let truth = head.number(&told.record.labels).map(|number| number.to_string());
            row.push(truth.unwrap_or_default());
            row.extend(outputs.iter().map(|number| format!("{number:.3}")));
        }
    }
}

/// At most `count` places among `all`, with equal steps between them.
fn evenly(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    (0..count).map(|number| number * all / count).collect()
}

#[cfg(test)]
mod tests {
    use snowball_protocol::labels::{BodyPart, Labels};
    use snowball_worker::shard::{Part, ShardRecord};

    use super::*;

    #[test]
    fn a_line_holds_truth_outputs_and_nothing_that_is_not_known() {
        let plan: StudyPlan = toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap();
        let told = |radiograph: &str, labels: Labels| Told {
            record: ShardRecord {
                radiograph: radiograph.to_owned(),
                patient: "p".to_owned(),
                part: Part::Testing,
                labels,
            },
            outputs: vec![0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.25, 0.5, 0.25, 41.5],
        };
        let labels = Labels {
            body_part: Some(BodyPart::Hand),
            age_years: Some(50.0),
            ..Labels::default()
        };
        let table = table(&plan, &[told("aa", labels), told("bb", Labels::default())]).unwrap();
        let text = String::from_utf8(table).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("radiograph,part,body_part,body_part_said,body_part_p_CHEST,body_part_p_HAND,"));
        assert!(lines[0].ends_with(",view,view_said,view_p_AP,view_p_PA,view_p_LATERAL,age,age_said"));
        assert!(
            lines[1].starts_with("aa,testing,HAND,CHEST,0.500000,0.100000,"),
            "{}",
            lines[1]
        );
        assert!(
            lines[1].ends_with(",,PA,0.250000,0.500000,0.250000,50,41.500"),
            "{}",
            lines[1]
        );
        assert!(
            lines[2].starts_with("bb,testing,,CHEST,0.500000,") && lines[2].ends_with(",,41.500"),
            "{}",
            lines[2]
        );
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.split(',').count() == 17));
    }

    #[test]
    fn pictures_are_spread_over_the_part() {
        assert_eq!(evenly(10, 5), [0, 2, 4, 6, 8]);
        assert_eq!(evenly(3, 24), [0, 1, 2]);
        assert!(evenly(0, 24).is_empty());
    }
}
