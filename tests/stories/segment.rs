//! Masks of bones come into two hospitals; a network learns to outline bone from both, and no mask leaves.

use std::os::unix::fs::PermissionsExt;

use snowball_phantoms::Consortium as Phantoms;
use snowball_protocol::plan::HeadKind;

use crate::{
    learning::opens_in_pytorch,
    stage::{Stage, ended},
};

const IMAGES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hospitals_learn_to_outline_bone_from_masks_that_stay() {
    let stage = Stage::set_with(2, 3, IMAGES, 0.0, |plan| {
        plan.heads.truncate(1);
        plan.heads[0].label = "site_bone".to_owned().try_into().unwrap();
        plan.heads[0].kind = HeadKind::Mask {
            classes: vec!["bone".to_owned()],
        };
        plan.local.steps = 50;
        plan.optimiser.learning_rate = 0.02;
    })
    .await;
    stage.settle().await;
    // As stage::phantoms writes them.
    let phantoms = Phantoms {
        seed: 5,
        hospitals: 2,
        images_per_hospital: IMAGES,
        hostile_fraction: 0.0,
        longest_side: 96,
    };
    for (index, site) in (0..).zip(&stage.consortium.sites) {
        let folder = stage.folder.path().join(format!("masks-{index}"));
        std::fs::create_dir(&folder).unwrap();
        let bones = snowball_phantoms::bones(&phantoms, index);
        for bones in &bones {
            let picture = image::GrayImage::from_raw(bones.columns, bones.rows, bones.values.clone()).unwrap();
            picture.save(folder.join(format!("{}.png", bones.instance))).unwrap();
        }
        let stranger = image::GrayImage::from_raw(8, 8, vec![255; 64]).unwrap();
        stranger.save(folder.join("1.2.3.4.png")).unwrap();
        std::fs::write(folder.join("1.2.3.5.png"), b"no picture").unwrap();
        let arguments = [
            "masks",
            "import",
            folder.to_str().unwrap(),
            "--name",
            "bone",
            "--by",
            "instance",
        ];
        let dry = [&arguments[..], &["--dry-run"]].concat();
        let weighed = stage.consortium.node(site, &dry).await.unwrap();
        let imported = stage.consortium.node(site, &arguments).await.unwrap();
        assert_eq!(
            weighed, imported,
            "a dry run tells what becomes of the files and keeps none"
        );
        assert!(imported["new"].as_u64().unwrap() > IMAGES / 2, "{imported}");
        assert_eq!(imported["of_another_size"].as_array().unwrap().len(), 0, "{imported}");
        assert!(
            !imported.to_string().contains("1.2.3.4"),
            "a file is named by its digest: {imported}"
        );
        let again = stage.consortium.node(site, &arguments).await.unwrap();
        assert_eq!(
            (&again["new"], &again["same"]),
            (&serde_json::json!(0), &imported["new"])
        );
        let census = stage.consortium.node(site, &["census"]).await.unwrap();
        assert_eq!(census["tables"]["site: bone"]["a mask"]["radiographs"], imported["new"]);
    }
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let status = stage.wait_for_review().await;
    let release = stage.release().await;
    ended(&mut nodes).await;

    let head = &status["final"]["pooled"]["heads"][0];
    let before = &status["rounds"][0]["metrics"]["heads"][0];
    eprintln!("before {before}, after {head}");
    let class = &head["classes"][0];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    assert_eq!(class["class"], "bone");
    assert!(
        number(&class["dice"]) > 0.65 && number(&class["dice"]) > number(&class["constant_dice"]) + 0.2,
        "{head}"
    );
    assert!(class["interval"].is_array(), "{head}");
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(card.contains("| all | site_bone: bone, Dice ("), "{card}");
    opens_in_pytorch(&release, &["site_bone"]);

    let (site, plan) = (&stage.consortium.sites[0], stage.consortium.plan_file());
    let (plan, out) = (plan.to_str().unwrap(), stage.folder.path().join("drawn"));
    let model = ["--plan", plan, "--model", "federated"];
    let evaluation = [&["evaluate"][..], &model].concat();
    let evaluation = stage.consortium.node(site, &evaluation).await.unwrap();
    assert_eq!(evaluation["heads"][0]["kind"], "mask", "{evaluation}");
    let arguments = [
        &["segment"][..],
        &model,
        &["--out", out.to_str().unwrap(), "--pictures", "3"],
    ]
    .concat();
    let drawn = stage.consortium.node(site, &arguments).await.unwrap();
    assert!(drawn["masks"].as_u64() > Some(0), "{drawn}");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert_eq!(
        page.matches("<figure").count() as u64,
        drawn["pictures"].as_u64().unwrap()
    );
    let mut masks = 0;
    for file in std::fs::read_dir(&out).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        if path.extension().is_some_and(|extension| extension == "png") {
            let mask = image::open(&path).unwrap().to_luma8();
            assert!(mask.pixels().all(|pixel| [0, 255].contains(&pixel.0[0])));
            masks += 1;
        }
    }
    assert_eq!(drawn["masks"], masks);
}
