//! The policy in words, and the way in which the next one comes into force: as the ethics board signed it, or not at all.

use std::str::FromStr as _;

use anyhow::Result;
use snowball_crypto::VerifyingKey;
use snowball_policy::{PolicyFault, SignedPolicy, diff_in};
use snowball_protocol::{Sha256Digest, StudyPlan, ids::UnixSeconds};
use snowball_web::{Column, Form, FormToken, Html, Language, Page, Route, Table, messages};

use super::{desk::Desk, overview::fault_words, policy_language, tell::with_digests};
use crate::{
    auditor::approvals::{Approvals, explain},
    policy::ethics_key,
};

messages! {
    TITLE = "Policy", "Politique";
    LEAD = "What the ethics board decided. The node obeys this file and nothing else; what it does not permit is denied.", "Ce que le comité d’éthique a décidé. Le nœud obéit à ce fichier et à rien d’autre ; ce qu’il ne permet pas est refusé.";
    NONE = "No policy is in force: {fault}. Nothing runs and nothing leaves.", "Aucune politique n’est en vigueur : {fault}. Rien ne s’exécute et rien ne sort.";
    OVER = "This policy has ended. Nothing runs and nothing leaves until the board’s next one is installed.", "Cette politique a pris fin. Rien ne s’exécute et rien ne sort tant que la suivante n’est pas installée.";
    VERSION = "version", "version";
    STAGES = "approved stages", "étapes approuvées";
    BOARD = "board", "comité";
    REFERENCE = "reference", "référence";
    FROM = "first day", "premier jour";
    UNTIL = "holds until before", "valable jusqu’au (exclu)";
    SIGNED_BY = "signed by the key", "signée par la clé";
    DIGEST = "digest", "empreinte";
    IN_WORDS = "In plain words", "En clair";
    HISTORY = "Policies whose files are kept here", "Politiques dont les fichiers sont conservés ici";
    IN_FORCE = "in force", "en vigueur";
    EARLIER = "earlier", "antérieure";
    STATE = "state", "état";

    INSTALL = "Install the next policy", "Installer la politique suivante";
    INSTALL_SAYS = "Paste the file and its signature as the board sent them. Nobody here can permit what the board did not sign: the signature is checked against the board’s key, and what changes is shown before it is done.", "Collez le fichier et sa signature tels que le comité les a envoyés. Personne ici ne peut permettre ce que le comité n’a pas signé : la signature est vérifiée avec la clé du comité, et les changements sont montrés avant d’être faits.";
    INSTALL_LINK = "Install a policy that the board signed", "Installer une politique signée par le comité";
    FILE = "The policy (policy.toml)", "La politique (policy.toml)";
    FILE_HINT = "The whole text, from the first line to the last.", "Le texte entier, de la première à la dernière ligne.";
    SIGNATURE = "Its signature (policy.toml.sig)", "Sa signature (policy.toml.sig)";
    KEY = "The board’s public key (ethics.pub)", "La clé publique du comité (ethics.pub)";
    KEY_HINT = "Needed this once. Compare it with the board by telephone: no other key is accepted afterwards.", "Nécessaire cette fois seulement. Comparez-la avec le comité par téléphone : aucune autre clé n’est acceptée ensuite.";
    CHECK = "Check it", "Vérifier";
    CHECKED = "Put this policy in force?", "Mettre cette politique en vigueur ?";
    SOUND = "The board’s signature holds, and the policy is for this site.", "La signature du comité est valide, et la politique concerne bien ce site.";
    CHANGES = "What changes", "Ce qui change";
    CHANGES_NONE = "Nothing changes but the file itself.", "Rien ne change, hormis le fichier lui-même.";
    CHANGES_FIRST = "It is the first policy of this node; until now nothing was permitted.", "C’est la première politique de ce nœud ; jusqu’ici rien n’était permis.";
    APPROVES = "It permits the study {study} with exactly this plan.", "Elle permet l’étude {study} avec exactement ce plan.";
    APPROVES_NOT = "It does not permit the study {study} with this plan: {reason}.", "Elle ne permet pas l’étude {study} avec ce plan : {reason}.";
    TYPE_DIGEST = "The first eight characters of its digest, after sha256:", "Les huit premiers caractères de son empreinte, après sha256:";
    TYPE_HINT = "{digest} – compare it with the one that the board told you.", "{digest} – comparez-la avec celle que le comité vous a donnée.";
    BUTTON = "Put it in force", "Mettre en vigueur";
    BACK = "Back, change nothing", "Retour, sans rien changer";
    WRONG_DIGEST = "These are not the first eight characters of the policy’s digest. Nothing was changed.", "Ce ne sont pas les huit premiers caractères de l’empreinte de la politique. Rien n’a été changé.";
    GONE = "This policy is no longer at hand: paste it once more.", "Cette politique n’est plus disponible : collez-la de nouveau.";
    DONE = "Policy {digest} is in force.", "La politique {digest} est en vigueur.";
}

/// Names of the forms’ fields.
pub const FILE_FIELD: &str = "policy";
pub const SIGNATURE_FIELD: &str = "signature";
pub const KEY_FIELD: &str = "ethics-key";
pub const OFFER_FIELD: &str = "offer";
pub const DIGEST_FIELD: &str = "digest";
/// The plan that the board was asked about.
pub const PLAN_FIELD: &str = "plan";
/// How many characters of the digest are typed.
const TYPED: usize = 8;

/// What the page shows.
pub struct Model {
    now: UnixSeconds,
    policy: Result<SignedPolicy, PolicyFault>,
    key: Option<VerifyingKey>,
    approvals: Approvals,
}

impl Model {
    pub fn read(desk: &Desk, now: UnixSeconds) -> Self {
        Self {
            now,
            policy: desk.policy(),
            key: ethics_key(&desk.home),
            approvals: Approvals::read(&desk.home),
        }
    }
}

/// Fills the page.
pub fn fill(page: &mut Page, model: &Model, token: Option<&FormToken>) {
    let language = page.language();
    page.lead(LEAD.html(language));
    match &model.policy {
        Err(fault) => page.alert(NONE.say(language, &[("fault", fault_words(fault, language))])),
        Ok(signed) => {
            if signed.policy.expires() <= model.now {
                page.alert(OVER.html(language));
            }
            page.facts(facts(signed, model.key.as_ref(), language));
            page.section(IN_WORDS.html(language));
            in_words(page, &explain(&signed.policy, language));
        }
    }
    if token.is_some() {
        page.section(INSTALL.html(language));
        page.say(INSTALL_SAYS.html(language));
        page.say(Html::route(&install_route(None), INSTALL_LINK.html(language)));
    }
    history(page, model);
}

fn facts(signed: &SignedPolicy, key: Option<&VerifyingKey>, language: Language) -> Vec<(Html, Html)> {
    let policy = &signed.policy;
    let stages: Vec<&str> = policy.stages().iter().map(|stage| stage.code()).collect();
    let mut facts = vec![
        (VERSION.html(language), Html::number(policy.version().into(), language)),
        (STAGES.html(language), Html::text(&stages.join(", "))),
        (BOARD.html(language), Html::text(policy.board())),
        (REFERENCE.html(language), Html::text(policy.reference())),
        (FROM.html(language), Html::day(policy.begins())),
        (UNTIL.html(language), Html::day(policy.expires())),
        (DIGEST.html(language), Html::code(&signed.digest.to_string())),
    ];
    if let Some(key) = key {
        facts.push((SIGNED_BY.html(language), Html::code(&key.fingerprint().to_string())));
    }
    facts
}

/// The text of `policy explain`: headings, sentences with a dash before them, and lines between.
fn in_words(page: &mut Page, text: &str) {
    let mut sentences: Vec<Html> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(sentence) = line.strip_prefix("- ") {
            sentences.push(with_digests(sentence));
            continue;
        }
        if !sentences.is_empty() {
            page.list(std::mem::take(&mut sentences));
        }
        let is_heading = lines.peek().is_some_and(|next| next.starts_with("- "));
        match line {
            "" => {}
            line if is_heading => page.part(Html::text(line)),
            line => page.say(with_digests(line)),
        }
    }
    if !sentences.is_empty() {
        page.list(sentences);
    }
}

fn history(page: &mut Page, model: &Model) {
    let language = page.language();
    let in_force = model.policy.as_ref().ok().map(|signed| signed.digest);
    let mut table = Table::new([
        Column::words(DIGEST.html(language)),
        Column::words(BOARD.html(language)),
        Column::words(REFERENCE.html(language)),
        Column::words(FROM.html(language)),
        Column::words(UNTIL.html(language)),
        Column::words(STATE.html(language)),
    ])
    .with_caption(HISTORY.html(language).unseen());
    let mut kept: Vec<_> = model.approvals.0.iter().collect();
    kept.sort_by_key(|(_, approval)| std::cmp::Reverse(approval.begins));
    for (digest, approval) in kept {
        let state = if in_force == Some(*digest) {
            IN_FORCE.html(language).good()
        } else {
            EARLIER.html(language).soft()
        };
        table.row([
            Html::code(&digest.short()),
            Html::text(&approval.board),
            Html::text(&approval.reference),
            Html::day(approval.begins),
            Html::day(approval.expires),
            state,
        ]);
    }
    if !table.is_empty() {
        page.section(HISTORY.html(language));
    }
    page.table(&table);
}

/// Where a policy is pasted; `plan`: the one that the board was asked about.
pub fn install_route(plan: Option<&Sha256Digest>) -> Route {
    let route = Route::of(["policy", "install"]);
    match plan {
        Some(plan) => route.with(PLAN_FIELD, &plan.to_string()),
        None => route,
    }
}

/// Fills the page on which a policy is pasted.
pub fn fill_install(page: &mut Page, token: &FormToken, plan: Option<&Sha256Digest>, is_first: bool) {
    let language = page.language();
    page.lead(INSTALL_SAYS.html(language));
    let mut form = Form::new(token, &Route::of(["policy", "check"]))
        .lines(FILE_FIELD, FILE.html(language), Some(FILE_HINT.html(language)), "")
        .lines(SIGNATURE_FIELD, SIGNATURE.html(language), None, "");
    if is_first {
        form = form.line(KEY_FIELD, KEY.html(language), Some(KEY_HINT.html(language)), "");
    }
    if let Some(plan) = plan {
        form = form.hidden(PLAN_FIELD, &plan.to_string());
    }
    page.form(form.button(CHECK.html(language)));
    page.say(Html::route(&Route::of(["policy"]), BACK.html(language)));
}

/// What was pasted.
pub struct Pasted {
    pub file: String,
    pub signature: String,
    pub key: Option<String>,
    pub plan: Option<Sha256Digest>,
}

impl Pasted {
    /// The board's key, where one was pasted.
    pub fn verifying_key(&self) -> Result<Option<VerifyingKey>> {
        let key = self.key.as_deref().map(|key| VerifyingKey::from_str(key.trim()));
        key.transpose()
            .map_err(|_| anyhow::anyhow!("the board's public key does not parse"))
    }
}

/// What the page shows that asks once more.
pub struct Checked<'a> {
    pub signed: &'a SignedPolicy,
    /// The policy in force.
    pub before: Option<&'a SignedPolicy>,
    /// The key that the signature was checked with: at the first policy the one that was pasted, which is kept from then on.
    pub key: Option<&'a VerifyingKey>,
    /// The plan that the board was asked about, and what the new policy says: why not, where it does not permit it.
    pub plan: Option<(StudyPlan, Result<(), String>)>,
}

/// Fills the page that asks once more: what changes, and the digest to be typed.
pub fn fill_checked(page: &mut Page, checked: &Checked<'_>, token: &FormToken) {
    let language = page.language();
    page.lead(SOUND.html(language).good());
    if let Some((plan, answer)) = &checked.plan {
        let study = ("study", Html::text(plan.study.as_str()));
        match answer {
            Ok(()) => page.say(APPROVES.say(language, &[study]).good()),
            Err(reason) => page.alert(APPROVES_NOT.say(language, &[study, ("reason", Html::text(reason))])),
        }
    }
    page.facts(facts(checked.signed, checked.key, language));
    page.section(CHANGES.html(language));
    match checked.before {
        None => page.say(CHANGES_FIRST.html(language)),
        Some(before) => {
            let changes = diff_in(&before.policy, &checked.signed.policy, policy_language(language));
            if changes.is_empty() {
                page.say(CHANGES_NONE.html(language));
            } else {
                page.list(changes.iter().map(|change| with_digests(change)));
            }
        }
    }
    page.folded(IN_WORDS.html(language), |page| {
        in_words(page, &explain(&checked.signed.policy, language));
    });
    let digest = checked.signed.digest;
    let form = Form::new(token, &Route::of(["policy", "install"])).hidden(OFFER_FIELD, &digest.to_string());
    let hint = TYPE_HINT.say(language, &[("digest", Html::code(&digest.to_string()))]);
    let form = form.line(DIGEST_FIELD, TYPE_DIGEST.html(language), Some(hint), "");
    page.form(form.grave_button(BUTTON.html(language)));
    page.say(Html::route(&Route::of(["policy"]), BACK.html(language)));
}

/// Whether what somebody typed names the policy.
pub fn is_typed(typed: &str, digest: &Sha256Digest) -> bool {
    let typed = typed.trim().trim_start_matches("sha256:").to_ascii_lowercase();
    let digest = digest.to_string();
    typed.len() >= TYPED && digest.trim_start_matches("sha256:").starts_with(&typed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::testing;

    const COLLABORATION: &str = include_str!("../../../policies/collaboration.toml");

    fn signed(text: &str) -> SignedPolicy {
        let key = snowball_crypto::SigningKey::generate().unwrap();
        let signature = snowball_policy::sign(text.as_bytes(), &key);
        snowball_policy::verify(text.as_bytes(), Some(&signature), &key.verifying_key()).unwrap()
    }

    fn shown(language: Language, fill: impl FnOnce(&mut Page)) -> String {
        testing::shown(TITLE, language, fill)
    }

    #[test]
    fn the_policy_is_told_in_words_with_its_dates_its_signer_and_its_digest() {
        let signed = signed(COLLABORATION);
        let key = snowball_crypto::SigningKey::generate().unwrap().verifying_key();
        let (digest, fingerprint) = (signed.digest.to_string(), key.fingerprint().to_string());
        let model = Model {
            now: signed.policy.expires() - 1,
            policy: Ok(signed),
            key: Some(key),
            approvals: Approvals::default(),
        };
        for language in Language::ALL {
            let html = shown(language, |page| fill(page, &model, None));
            for told in [&*digest, &fingerprint, "REB-2026-041", "2026-01-15", "2027-03-01"] {
                assert!(html.contains(told), "{told} in {html}");
            }
            // Every sentence of the explanation stands in it.
            let Ok(signed) = &model.policy else { continue };
            for line in explain(&signed.policy, language).lines() {
                let sentence = with_digests(line.trim_start_matches("- "));
                assert!(html.contains(sentence.as_str()), "{line}");
            }
            assert!(!html.contains("role=\"alert\"") && !html.contains("/policy/install"));
        }
        let over = Model {
            now: model.policy.as_ref().unwrap().policy.expires(),
            ..model
        };
        assert!(shown(Language::English, |page| fill(page, &over, None)).contains("role=\"alert\""));
    }

    #[test]
    fn before_it_is_put_in_force_its_changes_are_shown_and_its_digest_is_typed() {
        let before = signed(COLLABORATION);
        let after = signed(&COLLABORATION.replace("cell_min = 5", "cell_min = 9"));
        let token = FormToken::new("token".to_owned());
        let key = snowball_crypto::SigningKey::generate().unwrap().verifying_key();
        for language in Language::ALL {
            let checked = Checked {
                signed: &after,
                before: Some(&before),
                key: Some(&key),
                plan: None,
            };
            let html = shown(language, |page| fill_checked(page, &checked, &token));
            for change in diff_in(&before.policy, &after.policy, policy_language(language)) {
                assert!(html.contains(with_digests(&change).as_str()), "{change}");
            }
            assert!(html.contains(&after.digest.to_string()), "{html}");
            assert!(html.contains(&key.fingerprint().to_string()), "{html}");
        }
        let digits = after.digest.to_string().trim_start_matches("sha256:").to_owned();
        for typed in [
            &digits[..8],
            &digits,
            &format!(" sha256:{} ", &digits[..12]),
            &digits[..8].to_uppercase(),
        ] {
            assert!(is_typed(typed, &after.digest), "{typed}");
        }
        for typed in ["", &digits[..7], &digits[1..9], "sha256:"] {
            assert!(!is_typed(typed, &after.digest), "{typed}");
        }
    }
}
