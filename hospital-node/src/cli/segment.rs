//! `segment`: masks that a model draws of this site's radiographs.

mod dicom;

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use image::{GrayImage, ImageFormat};
use snowball_crypto::Pseudonym;
use snowball_protocol::{
    labels::LabelName,
    plan::{Head, HeadKind},
};
use snowball_service::{clock, files};
use snowball_store::{Mask, Store};
use snowball_worker::shard::{Part, Shard};

use super::{
    Context,
    kept_model::{KeptModel, Opened, PartChoice},
};
use dicom::Objects;

use crate::{
    outline,
    page::{self, Outlined, Outlines},
};

/// Most radiographs of one call.
const RADIOGRAPHS_MAX: i64 = 100_000;
/// Masks that are asked for at once.
const AT_ONCE: usize = 256;
/// A mask of one class is black and white.
const WHITE: u8 = 255;

/// Write the masks that a model draws: a PNG a radiograph, with as many rows and columns as the kept picture, and a page with outlines.
/// All are patients' and stay on site; the policy must permit it.
///
/// This is a tool of research and no medical device: no mask is a finding, and none is for diagnosis or treatment, in DICOM no more than
/// elsewhere.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node segment --plan lungs.toml --model federated --out masks\n  hospital-node segment --plan lungs.toml --model federated --out masks --dicom"
)]
pub struct Segment {
    #[command(flatten)]
    of: KeptModel,
    /// Of which patients; radiographs without a mask of the hospital's count too.
    #[arg(long, value_enum, default_value_t = PartChoice::Testing)]
    part: PartChoice,
    /// The folder for masks and page.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many radiographs at most, evenly over the part; absent: all.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=RADIOGRAPHS_MAX))]
    count: Option<u32>,
    /// Beside each PNG, a DICOM Segmentation object (PS3.3 A.51): binary, a segment a class, in the size in which the radiograph came. It names
    /// patient, study and radiograph by this node's pseudonyms alone, and node.toml under `[segments]` what the classes are.
    #[arg(long)]
    dicom: bool,
    /// How many of them the page shows at most, evenly.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=500))]
    pictures: u32,
}

/// One radiograph of the part.
struct Drawn<'a> {
    opened: &'a Opened,
    shard: &'a Shard,
    position: usize,
    head: &'a Head,
    /// As the network drew it.
    square: Vec<u8>,
}

impl Segment {
    pub fn run(self, context: &Context) -> Result<()> {
        let opened = self.of.open_whole(context)?;
        let Some(head) = opened.plan.mask_head() else {
            bail!("the plan asks for no mask; take one whose head is a mask");
        };
        let shard = Shard::open(&opened.dataset.source)?;
        let part = self.part.part();
        let positions = shard.part(part);
        ensure!(
            !positions.is_empty(),
            "this site has no radiograph of the {} part",
            name(part)
        );
        let places = evenly(positions.len(), self.count.map_or(usize::MAX, |count| count as usize));
        let shown = evenly(places.len(), self.pictures as usize);
        files::create_home(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let mut objects = self.objects(context, &opened, head)?;
        let mut pictures = Vec::new();
        for (number, places) in places.chunks(AT_ONCE).enumerate() {
            let squares = opened.asked().segment(part, places)?;
            for (inner, (place, square)) in places.iter().zip(squares).enumerate() {
                let drawn = Drawn {
                    opened: &opened,
                    shard: &shard,
                    position: positions[*place],
                    head,
                    square,
                };
                let file = drawn.write(&self.out)?;
                if let Some(objects) = &mut objects {
                    drawn.write_object(&self.out, objects)?;
                }
                if shown.binary_search(&(number * AT_ONCE + inner)).is_ok() {
                    pictures.push(drawn.picture(pictures.len() + 1, file)?);
                }
            }
        }
        self.page(&opened, head, part, pictures)?;
        let document = serde_json::json!({
            "study": opened.plan.study, "model_digest": opened.digest, "part": part, "masks": places.len(), "folder": self.out,
            "pictures": shown.len(), "dicom": if self.dicom { places.len() } else { 0 },
        });
        context.print(&document, || {
            format!(
                "{} masks of the {} part in {}; open index.html there\n\
                 They are for research: none is a finding, and none is for diagnosis.\n\
                 These are patients' data, readable by you alone (0600): they stay on site; delete them when you are done.",
                places.len(),
                name(part),
                self.out.display()
            )
        })
    }

    /// Writes DICOM, where that is asked for.
    fn objects(&self, context: &Context, opened: &Opened, head: &Head) -> Result<Option<Objects>> {
        if !self.dicom {
            return Ok(None);
        }
        let home = context.home()?;
        let config = home.config()?;
        let key = home.pseudonym_key(&config.project)?;
        let model = &opened.digest;
        Objects::new(key, &config.segments, &opened.plan, head, model, clock::now()).map(Some)
    }

    fn page(&self, opened: &Opened, head: &Head, part: Part, pictures: Vec<Outlined>) -> Result<()> {
        let page = Outlines {
            study: opened.plan.study.as_str(),
            label: head.label.code(),
            part: name(part),
            pictures,
        };
        let path = self.out.join("index.html");
        files::write_private(&path, page::outlines(&page)?.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drawn<'_> {
    fn radiograph(&self) -> Result<Pseudonym> {
        let radiograph = self.shard.records()[self.position].radiograph.parse();
        radiograph.context("the dataset names a radiograph badly")
    }

    /// Writes the mask in the size of the kept picture and says what its file is called.
    fn write(&self, folder: &Path) -> Result<String> {
        let radiograph = self.radiograph()?;
        let master = self.opened.store.master(&radiograph)?;
        let master = master.context("a radiograph was withdrawn meanwhile; do this again")?;
        let side = self.shard.manifest().side;
        let mut values = snowball_imaging::unletterbox_mask(side, &self.square, master.rows, master.columns);
        if let HeadKind::Mask { classes } = &self.head.kind
            && classes.len() == 1
        {
            values.iter_mut().for_each(|value| *value *= WHITE);
        }
        let picture = GrayImage::from_raw(master.columns, master.rows, values).context("a mask is not of its size")?;
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png)?;
        let file = format!("{radiograph}.png");
        let path = folder.join(&file);
        files::write_private(&path, png.get_ref()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(file)
    }

    /// Writes the mask as a DICOM object, in the size of the radiograph as it came.
    fn write_object(&self, folder: &Path, objects: &mut Objects) -> Result<()> {
        let radiograph = self.radiograph()?;
        let source = self.opened.store.source_of(&radiograph)?;
        let source = source.context("a radiograph was withdrawn meanwhile; do this again")?;
        let side = self.shard.manifest().side;
        let values = snowball_imaging::unletterbox_mask(side, &self.square, source.rows, source.columns);
        objects.write(folder, &radiograph, &source, &values)
    }

    /// What the page shows of it.
    fn picture(&self, number: usize, file: String) -> Result<Outlined> {
        let side = self.shard.manifest().side;
        let own = own_mask(&self.opened.store, self.head, &self.radiograph()?)?;
        let own = own.map(|mask| snowball_imaging::letterbox_mask(mask.rows, mask.columns, &mask.values, side));
        let square = self.shard.square(self.position)?;
        let png = outline::png(&square, side, &self.square, own.as_deref())?;
        Ok(Outlined {
            number,
            file,
            marked: marked(self.head, &self.square),
            has_own: own.is_some(),
            png: STANDARD.encode(png),
        })
    }
}

/// What share of the square each class takes.
fn marked(head: &Head, square: &[u8]) -> String {
    let HeadKind::Mask { classes } = &head.kind else {
        return String::new();
    };
    let share = |class: usize| {
        let count = square.iter().filter(|value| usize::from(**value) == class).count();
        100.0 * count as f64 / square.len().max(1) as f64
    };
    let shares = classes.iter().zip(1..);
    let shares = shares.map(|(name, class)| format!("{name} {:.1} %", share(class)));
    shares.collect::<Vec<_>>().join(", ")
}

fn own_mask(store: &Store, head: &Head, radiograph: &Pseudonym) -> Result<Option<Mask>> {
    match head.label {
        LabelName::Site(label) => Ok(store.mask(radiograph, label.name())?),
        _ => Ok(None),
    }
}

/// At most `count` places among `all`, with equal steps between them.
fn evenly(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    (0..count).map(|number| number * all / count).collect()
}

const fn name(part: Part) -> &'static str {
    match part {
        Part::Training => "training",
        Part::Validation => "validation",
        Part::Testing => "testing",
    }
}
