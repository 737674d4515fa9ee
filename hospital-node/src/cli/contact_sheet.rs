//! `contact-sheet`: look at what the network will see, before anything is trained.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use snowball_service::files;
use snowball_store::SheetRequest;

use super::Context;

/// Draw a sheet of radiographs as the network sees them. The pixels are patients': the file stays on site.
#[derive(Args)]
#[command(after_help = "Example: hospital-node contact-sheet --out sheet.png --columns 8 --rows 4")]
pub struct ContactSheet {
    /// The PNG file to write.
    #[arg(long)]
    out: PathBuf,
    /// Pictures in a row.
    #[arg(long, default_value_t = 8)]
    columns: u32,
    /// Rows.
    #[arg(long, default_value_t = 4)]
    rows: u32,
    /// Side of each picture, in pixels.
    #[arg(long, default_value_t = 96)]
    side: u32,
    /// Chooses which radiographs are shown.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl ContactSheet {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let request = SheetRequest {
            columns: self.columns,
            rows: self.rows,
            side: self.side,
            seed: self.seed,
        };
        let sheet = home
            .open_store(&home.config()?)?
            .contact_sheet(&request)
            .context("cannot draw the sheet")?;
        files::write_private(&self.out, &sheet.png).with_context(|| format!("cannot write {}", self.out.display()))?;
        let captions: Vec<_> = sheet
            .captions
            .iter()
            .map(|caption| {
                serde_json::json!({"column": caption.column, "row": caption.row, "body_part": caption.body_part,
                    "view": caption.view, "age_band": caption.age_band})
            })
            .collect();
        let document = serde_json::json!({"file": self.out, "captions": captions});
        context.print(&document, || {
            format!("{} pictures in {}", captions.len(), self.out.display())
        })
    }
}
