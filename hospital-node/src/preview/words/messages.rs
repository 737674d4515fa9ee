//! The words of every field of the messages, but for those of what was measured.

use snowball_egress::Kind;

use super::{About, Words, words};

/// The fields that a message of this kind has for itself.
pub const fn own(kind: Kind) -> &'static [Words] {
    match kind {
        Kind::Hello => HELLO,
        Kind::CertificateRenewal => RENEWAL,
        Kind::Authorities => AUTHORITIES,
        Kind::LedgerHead => LEDGER_HEAD,
        Kind::Join => JOIN,
        Kind::Decline => DECLINE,
        Kind::UpdateHeader => UPDATE_HEADER,
        Kind::Evaluation => OWN_MODEL,
        Kind::Update => &[],
    }
}

const HELLO: &[Words] = &[
    words(
        "clock",
        About::Site,
        "The time on this machine's clock, in seconds since 1970.",
    ),
    words(
        "policy_digest",
        About::Site,
        "The fingerprint of the policy in force, not its content.",
    ),
    words("program_version", About::Study, "The version of this program."),
    words(
        "protocol_max",
        About::Study,
        "The newest version of the protocol that it speaks.",
    ),
    words(
        "protocol_min",
        About::Study,
        "The oldest version of the protocol that it speaks.",
    ),
];

const RENEWAL: &[Words] = &[words(
    "csr_pem",
    About::Site,
    "A request for a certificate: a public key that was made here, and the hospital's name.",
)];

const AUTHORITIES: &[Words] = &[words(
    "fingerprints[]",
    About::Study,
    "The fingerprint of a certificate authority of the consortium that the hospital trusts.",
)];

const LEDGER_HEAD: &[Words] = &[words(
    "site_head",
    About::Site,
    "The hospital's name, how many records its ledger holds, the fingerprint of the last, and the hospital's signature.",
)];

const JOIN: &[Words] = &[
    words(
        "layout_digest",
        About::Study,
        "The fingerprint of the network's shape, which follows from the plan.",
    ),
    words(
        "plan_digest",
        About::Study,
        "The fingerprint of the plan that was approved.",
    ),
    words(
        "policy_digest",
        About::Site,
        "The fingerprint of the policy that permits it, not its content.",
    ),
    words(
        "training_examples",
        About::Patients,
        "How many radiographs the hospital will train on.",
    ),
];

const DECLINE: &[Words] = &[
    words(
        "clause",
        About::Site,
        "The place in the policy that decided, such as approvals.digests.",
    ),
    words(
        "plan_digest",
        About::Study,
        "The fingerprint of the plan that was refused.",
    ),
    words("reason", About::Site, "The same in a sentence. It holds no number."),
];

const UPDATE_HEADER: &[Words] = &[
    words(
        "attempt",
        About::Study,
        "Which try of this round it is; 1 unless something broke.",
    ),
    words(
        "bytes",
        About::Study,
        "The size of the update, which follows from the plan; where the largest numbers alone are sent, also from how far apart they lie.",
    ),
    words("digest", About::Patients, "The fingerprint of the update's bytes."),
    words("encoding", About::Study, "How the update's numbers are written."),
    words(
        "examples",
        About::Patients,
        "How many radiographs the update was trained on, at most as many as the plan counts: its weight in the mean.",
    ),
    words(
        "layout_digest",
        About::Study,
        "The fingerprint of the network's shape, which follows from the plan.",
    ),
    words(
        "ledger_head",
        About::Site,
        "The fingerprint of the hospital's ledger up to the entry that approved this update. The aggregator keeps it, so that \
         nobody can rewrite the ledger later.",
    ),
    words(
        "ledger_index",
        About::Site,
        "How many entries the hospital's ledger had before that one.",
    ),
    words(
        "model_in",
        About::Study,
        "The fingerprint of the shared model that training started from.",
    ),
    words(
        "plan_digest",
        About::Study,
        "The fingerprint of the plan that was carried out.",
    ),
    words(
        "policy_digest",
        About::Site,
        "The fingerprint of the policy that permits it, not its content.",
    ),
    words("round", About::Study, "Which round."),
    words("study", About::Study, "The study's name."),
    words(
        "local_steps",
        About::Study,
        "How many steps of training are behind the update. Where the plan counts epochs it follows from the number of radiographs.",
    ),
    words(
        "control_from",
        About::Site,
        "Where the plan corrects drift (SCAFFOLD): the round whose update this hospital's control variate is of. Nothing stands here \
         where it begins at zero, as in the first round, or after it was removed.",
    ),
    words(
        "training_loss",
        About::Patients,
        "How far off the network was at the end of training: one mean over the last tenth of the steps.",
    ),
];

/// Beside this, `own` holds the same as `evaluation`, of the other model and over the same radiographs.
const OWN_MODEL: &[Words] = &[words(
    "own.model_digest",
    About::Patients,
    "The fingerprint of the model that this hospital's radiographs alone make. The model itself stays here.",
)];
