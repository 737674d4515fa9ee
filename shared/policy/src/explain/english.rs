//! In English.

use std::borrow::Cow;

use snowball_protocol::{
    labels::LabelName,
    plan::{Architecture, Sent},
};

use super::fixed;
use crate::{
    document::{Approval, DeidentificationOption, DeidentificationProfile, Demand, PrivacyMechanism, Stage},
    hours::{Window, clock},
    policy::Policy,
    retention::Keepsake,
    words::english::{bytes, count, date, list},
};

pub(super) fn page(policy: &Policy) -> String {
    let mut title = vec![format!(
        "Policy of the site {}, version {}",
        policy.site(),
        policy.version()
    )];
    if let Some(digest) = policy.supersedes() {
        title.push(format!("It takes the place of the policy {digest}"));
    }
    let mut sections: Vec<(&str, Vec<String>)> = Vec::new();
    for approval in &policy.0.approvals {
        sections.push((heading(approval.stage), about_approval(approval)));
    }
    sections.extend([
        ("What is not approved", about_other_stages(policy)),
        ("Why the data may be used", about_purposes(policy)),
        ("What a network may learn", about_learning(policy)),
        ("How radiographs are de-identified", about_deidentification(policy)),
        ("How many patients and hospitals it takes", about_company(policy)),
        ("What may leave the hospital", about_leaving(policy)),
        ("How often, and how much", about_limits(policy)),
        ("At which hours", about_hours(policy)),
        ("How the program that trains is held", about_confinement(policy)),
        ("How long things are kept", about_retention(policy)),
    ]);
    super::page(&title, &sections, "Whatever is not permitted above is denied.")
}

const fn heading(stage: Stage) -> &'static str {
    match stage {
        Stage::Local => "Approved: training inside the hospital (stage local)",
        Stage::ProofOfConcept => "Approved: a trial with other hospitals (stage proof-of-concept)",
        Stage::Collaboration => "Approved: training with other hospitals (stage collaboration)",
        Stage::Publication => "Approved: training for publication (stage publication)",
    }
}

fn about_approval(approval: &Approval) -> Vec<String> {
    let meaning: &[&str] = match approval.stage {
        Stage::Local => &[
            "The hospital may train networks on its own radiographs, by itself.",
            "Nothing leaves for this.",
        ],
        Stage::ProofOfConcept => &["The hospital may try out training with others."],
        Stage::Collaboration => &[
            "The hospital may train networks together with others.",
            "The network is for these hospitals. It may not be published.",
        ],
        Stage::Publication => &[
            "The hospital may train networks together with others.",
            "The network may be published for everybody.",
        ],
    };
    let mut sentences = fixed(meaning);
    sentences.push(format!(
        "The board is: {}. Its reference is: {}.",
        approval.board, approval.reference
    ));
    sentences.push(format!(
        "The first day is {}. The last day is {}. Days begin at midnight, universal time.",
        date(Some(approval.approved_on)),
        date(Some(approval.expires_on))
    ));
    sentences.extend(about_studies(approval));
    sentences
}

fn about_studies(approval: &Approval) -> Vec<String> {
    let names: Vec<_> = approval.studies.iter().map(|name| name.as_str()).collect();
    let mut sentences = match names.as_slice() {
        [] => return fixed(&["No study may run."]),
        [only] => vec![format!("One study may run: {only}.")],
        several => vec![format!("{} studies may run: {}.", several.len(), list(several))],
    };
    if approval.approves_any_digest() {
        sentences.extend(fixed(&[
            "Any plan under such a name is approved, whoever wrote it and whatever it says within this policy.",
        ]));
    } else if approval.digests.is_empty() {
        sentences.extend(fixed(&["No plan has been approved yet, so none of them may run."]));
    } else {
        sentences.extend(fixed(&[
            "A study runs only if its plan is one of the approved plans, to the letter. Here are their digests.",
        ]));
        sentences.extend(approval.digests.iter().map(ToString::to_string));
    }
    sentences
}

fn about_other_stages(policy: &Policy) -> Vec<String> {
    let approved = policy.stages();
    let mut sentences: Vec<String> = [
        (Stage::Local, "The hospital may not train by itself."),
        (Stage::ProofOfConcept, "The hospital may not join a trial."),
        (
            Stage::Collaboration,
            "The hospital may not join a study whose network is for the hospitals that take part.",
        ),
        (
            Stage::Publication,
            "The hospital may not join a study whose network may be published.",
        ),
    ]
    .into_iter()
    .filter(|(stage, _)| !approved.contains(stage))
    .map(|(_, sentence)| sentence.to_owned())
    .collect();
    sentences.push("Before the first day and after the last day of an approval nothing runs under it.".to_owned());
    sentences
}

fn about_purposes(policy: &Policy) -> Vec<String> {
    if policy.purposes().is_empty() {
        return fixed(&["No purpose is allowed, so no study may run."]);
    }
    let names: Vec<_> = policy.purposes().iter().map(|purpose| purpose.as_str()).collect();
    vec![format!("The data may be used for: {}.", list(&names))]
}

fn about_learning(policy: &Policy) -> Vec<String> {
    let labels = |is_allowed: bool| -> Vec<_> {
        let labels = policy
            .labels()
            .iter()
            .filter(|label| policy.allows_label(**label) == is_allowed);
        labels.map(|label| label_words(*label)).collect()
    };
    let (learnt, withheld) = (labels(true), labels(false));
    let networks: Vec<_> = policy
        .architectures()
        .iter()
        .map(|network| network_words(*network))
        .collect();
    let side = policy.input_side_max();
    let mut sentences = vec![
        format!("A network may learn to tell: {}.", list(&learnt)),
        "It may also learn to tell what the trainer itself did to a picture (rotation, jigsaw): that says nothing about a patient."
            .to_owned(),
        format!("These networks may be trained: {}.", list(&networks)),
        format!("They see each radiograph at no more than {side} by {side} pixels."),
    ];
    if !withheld.is_empty() {
        sentences.push(format!(
            "The policy also lists {}, but de-identification may not retain it. So no network may learn it.",
            list(&withheld)
        ));
    }
    sentences
}

fn about_deidentification(policy: &Policy) -> Vec<String> {
    let mut sentences = match policy.deidentification_profile() {
        DeidentificationProfile::RadiographAllowListV1 => fixed(&[
            "Only the picture and a short list of coded facts are kept.",
            "Everything else in the file's header is left out.",
            "Names and numbers of patients are replaced by codes.",
            "The key to the codes stays in the hospital.",
        ]),
    };
    sentences.push(
        if policy.retains(DeidentificationOption::RetainPatientCharacteristics) {
            "Sex and age in years may be used. Ages above 89 count as 90."
        } else {
            "Sex and age may not be used."
        }
        .to_owned(),
    );
    let options = policy.options_of_files();
    if !options.is_empty() {
        sentences.push(format!(
            "De-identified DICOM files are written with these options: {}.",
            list(&options)
        ));
    }
    let rules = &policy.0.deidentification;
    if !rules.remove.is_empty() {
        sentences.push(format!("They never hold: {}.", list(&rules.remove)));
    }
    for keep in &rules.keep {
        let values = count(keep.values.len() as u64, "listed value");
        sentences.push(format!("They may hold {} with one of {values}.", keep.attribute));
    }
    sentences
}

fn about_company(policy: &Policy) -> Vec<String> {
    let mut sentences = vec![
        format!(
            "A network may be trained on no fewer than {}.",
            count(policy.training_patients_min(), "patient")
        ),
        format!(
            "A class with fewer than {} may not be trained on. Smaller counts are hidden before they leave.",
            count(policy.cell_min(), "radiograph")
        ),
        format!(
            "With others, a round counts only if it has the updates of at least {}.",
            count(u64::from(policy.sites_min()), "hospital")
        ),
    ];
    sentences.extend(match policy.secure_aggregation() {
        Demand::NotRequired => fixed(&["Whoever runs the study can read the update of each single hospital."]),
        Demand::Required => fixed(&[
            "Nobody may be able to read the update of a single hospital.",
            "This version of the platform cannot do that yet. So no study with others runs.",
        ]),
    });
    sentences
}

fn about_leaving(policy: &Policy) -> Vec<String> {
    let released = policy.released();
    if released.is_empty() {
        return fixed(&["No update and no measurement may leave. No radiograph ever leaves."]);
    }
    let mut sentences: Vec<String> = released.into_iter().flat_map(|kind| fixed(sent_words(kind))).collect();
    sentences.extend(fixed(&[
        "No radiograph ever leaves, nor a name, number or date of a patient.",
    ]));
    sentences.extend(match policy.privacy_mechanism() {
        PrivacyMechanism::None => fixed(&[
            "No noise is added to updates.",
            "An update holds no picture.",
            "But whoever receives it could learn something about the radiographs behind it.",
        ]),
        PrivacyMechanism::RecordLevel => fixed(&[
            "Noise must hide what a single radiograph adds to an update.",
            "This version of the platform cannot do that yet. So no study with others runs.",
        ]),
        PrivacyMechanism::SiteLevel => fixed(&[
            "Noise must hide what the hospital adds to the network.",
            "This version of the platform cannot do that yet. So no study with others runs.",
        ]),
    });
    sentences
}

fn about_limits(policy: &Policy) -> Vec<String> {
    let rounds = |number: u32| count(u64::from(number), "round");
    let mut sentences = vec![format!(
        "The hospital takes part in at most {} of each study.",
        rounds(policy.rounds_per_study_max())
    )];
    if policy.stage().permits_sending() {
        sentences.push(format!(
            "It takes part in at most {} of all studies together, ever.",
            rounds(policy.rounds_all_studies_max())
        ));
    }
    if policy.released().is_empty() {
        return sentences;
    }
    sentences.push(format!(
        "In each round at most {} may leave.",
        bytes(policy.bytes_per_round_max())
    ));
    sentences.push(format!(
        "In any 24 hours at most {} may leave.",
        bytes(policy.bytes_per_day_max())
    ));
    sentences.push(format!(
        "For each study at most {} may leave.",
        bytes(policy.bytes_per_study_max())
    ));
    sentences
}

fn about_hours(policy: &Policy) -> Vec<String> {
    let hours = &policy.0.hours;
    let windows = |windows: &[Window]| list(&windows.iter().map(|window| window_words(*window)).collect::<Vec<_>>());
    let mut sentences = vec![if hours.training.is_empty() {
        "There is no hour at which training may begin.".to_owned()
    } else {
        format!(
            "Training may begin {}. What has begun is finished.",
            windows(&hours.training)
        )
    }];
    if !policy.released().is_empty() {
        sentences.push(if hours.sending.is_empty() {
            "There is no hour at which something may leave.".to_owned()
        } else {
            format!("Updates and measurements may leave {}.", windows(&hours.sending))
        });
    }
    sentences.push(format!(
        "Hours are those of the clock on the wall in the zone {}.",
        hours.time_zone
    ));
    sentences
}

fn window_words(window: Window) -> String {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    if window.is_always() {
        return "at any hour".to_owned();
    }
    let name = |day: u8| DAYS.get(usize::from(day)).copied().unwrap_or_default();
    let days = match window.days {
        (0, 6) => "every day".to_owned(),
        (first, last) if first == last => format!("on {}", name(first)),
        (first, last) => format!("{} to {}", name(first), name(last)),
    };
    if (window.from, window.to) == (0, 24 * 60) {
        return format!("{days} all day");
    }
    let next = if window.to <= window.from {
        " of the next day"
    } else {
        ""
    };
    format!("{days} from {} until {}{next}", clock(window.from), clock(window.to))
}

fn about_confinement(policy: &Policy) -> Vec<String> {
    let mut sentences = fixed(&["Training runs in a program of its own, which has no key of the hospital."]);
    sentences.extend(match policy.confinement() {
        Demand::Required => fixed(&[
            "The machine itself must keep it from the network, from all other files and from other programs.",
            "Where the machine cannot, nothing is trained. The hospital's technicians cannot change that.",
        ]),
        Demand::NotRequired => fixed(&[
            "The machine need not keep it from the network and from other files.",
            "The hospital's technicians decide whether it must.",
        ]),
    });
    sentences
}

fn about_retention(policy: &Policy) -> Vec<String> {
    let days = |keepsake| count(u64::from(policy.kept_days(keepsake)), "day");
    vec![
        format!(
            "The data chosen for a study are kept for {}. If it goes on, they are chosen anew.",
            days(Keepsake::Dataset)
        ),
        format!(
            "The evidence of de-identification is kept for {}.",
            days(Keepsake::Evidence)
        ),
        format!(
            "An update that could not be sent is kept for {}.",
            days(Keepsake::Outbox)
        ),
        "The record of all that was decided and sent is kept for good.".to_owned(),
    ]
}

fn label_words(label: LabelName) -> Cow<'static, str> {
    let word = match label {
        LabelName::Site(name) => return format!("the hospital's own label {}", name.name()).into(),
        LabelName::BodyPart => "the body part",
        LabelName::View => "the view",
        LabelName::Laterality => "the side of the body",
        LabelName::Sex => "the sex",
        LabelName::Age => "the age",
        LabelName::Rotation => "how the trainer turned a picture",
        LabelName::Jigsaw => "in which order the trainer put a picture's tiles",
    };
    word.into()
}

const fn network_words(architecture: Architecture) -> &'static str {
    match architecture.papers_name() {
        Some(name) => name,
        None => "a small network",
    }
}

const fn sent_words(kind: Sent) -> &'static [&'static str] {
    match kind {
        Sent::Update => &[
            "Updates may leave: how the network's numbers changed in a round of training.",
            "With an update go the number of radiographs behind it and the average training error.",
        ],
        Sent::Metrics => {
            &["Measurements may leave: counts and sums of how well the network did on the hospital's own radiographs."]
        }
        Sent::DetailedMetrics => &[
            "Detailed measurements may leave with them, of each class that is not too small.",
            "They say for which other classes its radiographs were taken, how well the network ranks patients who have it above those who do not, and how far off its probabilities are.",
            "They also say how two classes vary together from patient to patient, from which follows how sure the mean over classes is.",
            "They are counts and sums too: no patient's score leaves.",
        ],
    }
}
