//! `export`: a model that is kept on site, as files that PyTorch and ONNX runtimes open.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use snowball_service::files;

use super::{Context, kept_model};
use crate::{
    local_model::LocalModel,
    parent::{self, Source},
};

/// Where a local model comes from, beside the files.
const HISTORY_FILE: &str = "history.json";
/// The plan that the model was trained by.
const PLAN_FILE: &str = "plan.json";

/// Write a model that is kept on site as files that PyTorch and ONNX runtimes open. They are no release: nobody else signed them. The
/// policy must permit the use of the model, although nothing leaves.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hospital-node export local:knees --out knees\n  hospital-node export federated:body-parts --out body-parts"
)]
pub struct Export {
    /// The model: local:STUDY of `pretrain --local` or `finetune`, federated:STUDY as a study left it.
    #[arg(value_name = "MODEL")]
    model: Source,
    /// A new folder for model.safetensors, model.onnx, model.py, network.json, plan.json and, of a local model, history.json.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Export {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let (study, kind) = match &self.model {
            Source::Local(study) => (study, "local"),
            Source::Federated(study) => (study, "federated"),
            Source::Path(path) => bail!(
                "{} is no model that is kept on site; name local:STUDY or federated:STUDY",
                path.display()
            ),
        };
        let opened = parent::open(&home, &self.model, None)?;
        let plan = opened.plan.context("the model's plan is not known")?;
        kept_model::permitted(&home, &plan)?;
        ensure!(!self.out.exists(), "{} exists; name a new folder", self.out.display());
        files::create_home(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let properties = [
            ("study", plan.study.to_string()),
            ("plan_digest", plan.digest().to_string()),
            ("trained", kind.to_owned()),
        ];
        let written = snowball_model_files::write(&self.out, &plan, &home.model(study, kind), &properties)
            .with_context(|| format!("cannot write the model into {}", self.out.display()))?;
        // A training that ended between the two readings would give one model's numbers and the other's history.
        ensure!(
            Some(written.numbers) == opened.parents[0].model,
            "the model changed while it was written; remove {} and export it again",
            self.out.display()
        );
        files::write_private(&self.out.join(PLAN_FILE), &serde_json::to_vec_pretty(&plan)?)?;
        if kind == "local"
            && let Some(record) = LocalModel::read(&home, study)?
        {
            files::write_private(&self.out.join(HISTORY_FILE), &serde_json::to_vec_pretty(&record)?)?;
        }
        let document = json!({
            "folder": self.out, "study": study, "model_digest": written.numbers, "plan_digest": plan.digest(),
            "files": {
                snowball_model_files::MODEL_FILE: written.model, snowball_model_files::ONNX_FILE: written.onnx,
                snowball_model_files::NETWORK_FILE: written.network, snowball_model_files::SCRIPT_FILE: written.script,
            },
        });
        context.print(&document, || {
            format!(
                "{study}, {digest}: in {folder}\nPyTorch: python {folder}/model.py says whether the weights fit; in a program: import \
                 model; network = model.load()\nONNX:    {folder}/model.onnx, input `pictures` [N, 1, {side}, {side}]",
                digest = written.numbers,
                folder = self.out.display(),
                side = plan.network.input_side
            )
        })
    }
}
