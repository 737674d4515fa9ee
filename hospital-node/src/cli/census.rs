//! `census`: what the store holds, with small cells hidden.

use anyhow::Result;
use clap::Args;
use snowball_store::Cell;

use super::Context;
use crate::policy;

/// Count what is in the store: body parts, views, ages, devices. Small cells are hidden.
#[derive(Args)]
#[command(after_help = "Example: hospital-node census --cell-min 10")]
pub struct Census {
    /// Fewest patients that are shown; absent: the policy's, or 5.
    #[arg(long)]
    cell_min: Option<u64>,
}

impl Census {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let from_policy = policy::in_force(&home).map_or(5, |signed| signed.policy.cell_min());
        let census = home
            .open_store(&home.config()?)?
            .census()?
            .hide_below(self.cell_min.unwrap_or(from_policy));
        context.print(&census, || {
            let mut lines = vec![format!("in all: {}", words(&census.total))];
            for (name, table) in &census.tables {
                let title = if name.starts_with("site: ") {
                    name.clone()
                } else {
                    name.replace('_', " ")
                };
                lines.push(format!("\n{title}"));
                let width = table.keys().map(|term| term.chars().count()).max().unwrap_or(0).max(14);
                lines.extend(
                    table
                        .iter()
                        .map(|(term, cell)| format!("  {term:<width$} {}", words(cell))),
                );
            }
            lines.join("\n")
        })
    }
}

fn words(cell: &Cell) -> String {
    match cell {
        Cell::Counted { radiographs, patients } => format!("{radiographs} radiographs of {patients} patients"),
        Cell::Hidden { below } => format!("hidden (fewer than {below} patients, or would tell such a number)"),
    }
}
