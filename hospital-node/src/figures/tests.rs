use snowball_protocol::labels::{BodyPart, Labels, Sex};
use snowball_worker::shard::Part;

use super::*;

fn heads() -> Vec<Head> {
    vec![
        Head {
            label: LabelName::BodyPart,
            kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned()]),
            weight: 1.0,
        },
        Head {
            label: LabelName::Age,
            kind: HeadKind::Regression { unit: 100.0 },
            weight: 1.0,
        },
    ]
}

fn told(number: usize, labels: Labels, outputs: &[f32]) -> Told {
    Told {
        record: ShardRecord {
            radiograph: format!("r{number}"),
            // Two radiographs a patient.
            patient: format!("p{}", number / 2),
            part: Part::Testing,
            labels,
        },
        outputs: outputs.to_vec(),
    }
}

/// 60 radiographs of 30 patients: chest and hand in turn, three women and 27 men, ages that the model says right but for 5 years. Without a
/// body part: the last 4 radiographs. All but the men's hands are recognised.
fn part() -> Vec<Told> {
    (0..60)
        .map(|number| {
            let is_chest = number % 4 < 2;
            let sex = if number < 6 { Sex::Female } else { Sex::Male };
            let age = (20 + number) as f32;
            let labels = Labels {
                body_part: (number < 56).then_some(if is_chest { BodyPart::Chest } else { BodyPart::Hand }),
                sex: Some(sex),
                age_years: Some(age),
                ..Labels::default()
            };
            let chest = if is_chest || sex == Sex::Male { 0.9 } else { 0.2 };
            told(number, labels, &[chest, 1.0 - chest, age + 5.0])
        })
        .collect()
}

fn figures(told: &[Told], own: &[BTreeMap<String, String>], cell_min: u64) -> Figures {
    let heads = heads();
    Material {
        heads: &heads,
        told,
        own,
        constants: &[None, Some(50.0)],
        cell_min,
        resampling: Resampling {
            seed: 1,
            resamples: 100,
        },
    }
    .figures()
    .unwrap()
}

#[test]
fn each_head_counts_the_radiographs_that_have_its_label() {
    let told = part();
    let found = figures(&told, &vec![BTreeMap::new(); told.len()], 1);
    let [body_part, age] = &found.figures[..] else {
        panic!("{found:?}")
    };
    let (Kind::Classes(classes), Kind::Regression(numbers)) = (&body_part.of, &age.of) else {
        panic!("{found:?}")
    };
    assert_eq!((classes.radiographs, classes.patients), (56, 28));
    // All 28 chests, of 28 hands the women's two.
    assert_eq!(classes.confusion, [vec![28, 0], vec![26, 2]]);
    assert_eq!((numbers.radiographs, numbers.patients), (60, 30));
    assert!((numbers.mean_absolute_error.unwrap().value - 5.0).abs() < 1e-4);
    assert!((numbers.bias.unwrap().value - 5.0).abs() < 1e-4);
    let text = text(&found);
    assert!(
        text.contains("balanced accuracy 0.536 (") && text.contains("off by 5.0 ("),
        "{text}"
    );
}

#[test]
fn groups_tell_where_a_model_is_worse_and_small_ones_are_hidden() {
    let told = part();
    let own: Vec<BTreeMap<String, String>> = (0..60)
        .map(|number| BTreeMap::from([("ward".to_owned(), if number < 30 { "one" } else { "two" }.to_owned())]))
        .collect();
    let found = figures(&told, &own, 3);
    let kinds: Vec<&str> = found.groups.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        ["age_band", "body_part", "sex", "site: ward"],
        "nothing is known of view or side"
    );
    let Group::Shown { patients, heads, .. } = &found.groups["sex"]["F"] else {
        panic!("{found:?}")
    };
    assert_eq!(*patients, 3);
    assert_eq!(heads[0].figures["balanced_accuracy"].value, 1.0);
    assert_eq!(heads[0].figures["balanced_accuracy"].low, None, "three patients");
    assert!(matches!(
        &found.groups["site: ward"]["two"],
        Group::Shown {
            radiographs: 30,
            patients: 15,
            ..
        }
    ));

    // With a larger cell the three women are hidden, and so are the men, whose number would tell theirs.
    let found = figures(&told, &own, 5);
    assert!(
        found.groups["sex"]
            .values()
            .all(|group| matches!(group, Group::Hidden { below: 5 }))
    );
    // Two patients without a body part.
    assert!(matches!(found.groups["body_part"]["unknown"], Group::Hidden { .. }));
    let shown = serde_json::to_string(&found).unwrap();
    assert!(
        shown.contains("\"below\":5") && !shown.contains("\"patients\":3,"),
        "{shown}"
    );
}

#[test]
fn heads_and_classes_of_few_patients_are_left_out() {
    // One patient has hands.
    let told: Vec<Told> = part()
        .into_iter()
        .filter(|told| {
            let hand = told.record.labels.body_part == Some(BodyPart::Hand);
            !hand || told.record.patient == "p1"
        })
        .collect();
    let own = vec![BTreeMap::new(); told.len()];
    let found = figures(&told, &own, 2);
    let Kind::Classes(classes) = &found.figures[0].of else {
        panic!()
    };
    assert_eq!(
        classes
            .classes
            .iter()
            .map(|class| class.class.as_str())
            .collect::<Vec<_>>(),
        ["CHEST"]
    );
    assert!(classes.confusion.is_empty());
    assert!(figures(&told[..2], &own[..2], 2).figures.is_empty());
    assert!(figures(&[], &[], 0).figures.is_empty());
}

#[test]
fn the_constant_is_the_median_of_the_training_part() {
    let records: Vec<ShardRecord> = part().into_iter().take(4).map(|told| told.record).collect();
    assert_eq!(constants(&heads(), records.iter()), [None, Some(21.5)]);
    assert_eq!(constants(&heads(), records[..3].iter()), [None, Some(21.0)]);
    assert_eq!(constants(&heads(), [].iter()), [None, None]);
}
