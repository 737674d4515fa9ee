//! The texts of the consortium's page, each in English and French.

use snowball_protocol::{ProblemCode, session::PhaseName};
use snowball_web::{Message, messages};

use super::history::Step;

messages! {
    TITLE = "Report of the consortium {consortium}", "Rapport du consortium {consortium}";
    LEAD = "Made on {day} by aggregator {version} out of its ledger and its database. No radiograph ever reaches an aggregator; numbers about quality are those that hospitals let leave, without small counts.", "Établi le {day} par l’agrégateur {version} à partir de son registre et de sa base. Aucune radiographie n’atteint jamais un agrégateur ; les mesures de qualité sont celles que les hôpitaux laissent sortir, sans les petits effectifs.";
    NONE = "none", "aucun";
    NEVER = "never", "jamais";

    TILE_SITES = "hospitals take part; {revoked} are revoked", "hôpitaux participants ; {revoked} révoqués";
    TILE_UPDATES = "updates taken in, each once", "mises à jour prises en compte, chacune une fois";
    TILE_REFUSED = "updates refused", "mises à jour refusées";
    TILE_LEDGER = "the ledger, {entries} entries", "le registre, {entries} inscriptions";
    SOUND = "sound", "intact";
    BROKEN = "broken", "altéré";

    CONSORTIUM = "The consortium", "Le consortium";
    ADDRESS = "address", "adresse";
    FOUNDED = "founded", "fondé le";
    CA_FINGERPRINT = "fingerprint of its certificate authority", "empreinte de son autorité de certification";

    SITES = "Hospitals", "Les hôpitaux";
    SITES_NONE = "No hospital was enrolled yet.", "Aucun hôpital n’est encore enrôlé.";
    SITE = "site", "site";
    STATE = "state", "état";
    ACTIVE = "active", "actif";
    REVOKED_ON = "revoked on {day}", "révoqué le {day}";
    ENROLLED = "enrolled", "enrôlé le";
    SEEN = "last seen", "vu pour la dernière fois";
    PROGRAM = "program", "programme";
    POLICY = "its policy", "sa politique";
    CERTIFICATES = "certificates that are not revoked", "certificats non révoqués";
    STEPS = "Enrolments, renewals, revocations", "Enrôlements, renouvellements, révocations";
    STEPS_SAY = "Keys are made in the hospital and never leave it. An approval follows a fingerprint that two people compared.", "Les clés sont créées à l’hôpital et n’en sortent jamais. Une approbation suit la comparaison d’une empreinte par deux personnes.";
    TIME = "time", "heure";
    WHAT = "what", "nature";
    KEY = "key", "clé";
    SERIAL = "certificate", "certificat";
    WORDS = "the coordinator's words", "mots du coordinateur";
    STEP_INVITED = "invited", "invité";
    STEP_ASKED = "asked for a certificate", "certificat demandé";
    STEP_APPROVED = "approved", "approuvé";
    STEP_REFUSED = "refused", "refusé";
    STEP_RENEWED = "renewed its certificate", "certificat renouvelé";
    STEP_REVOKED = "revoked", "révoqué";
    STEP_CONTESTED = "another key tried its invitation", "une autre clé a tenté son invitation";
    STEP_CERTIFICATE_REVOKED = "one certificate revoked", "un certificat révoqué";
    STEP_HEAD_REFUSED = "its ledger contradicted itself", "son registre s’est contredit";
    AUTHORITIES = "Certificate authorities", "Autorités de certification";
    AUTHORITY = "authority", "autorité";
    AUTHORITY_ADDED = "added", "ajoutée";
    AUTHORITY_RETIRED = "retired", "retirée";

    STUDIES = "Studies", "Les études";
    STUDIES_NONE = "There is no study yet.", "Il n’y a pas encore d’étude.";
    PHASE = "phase", "phase";
    PHASE_DRAFT = "created, not started", "créée, non lancée";
    PHASE_RECRUITING = "hospitals join", "les hôpitaux s’inscrivent";
    PHASE_COLLECTING = "a round is open", "un tour est ouvert";
    PHASE_AGGREGATING = "a round becomes a model", "un tour devient un modèle";
    PHASE_REVIEWING = "all rounds done, in review", "tous les tours terminés, en cours d’examen";
    PHASE_RELEASED = "released", "publiée";
    PHASE_ABANDONED = "abandoned: {reason}", "abandonnée : {reason}";
    PAUSES = "paused", "en pause";
    PAUSE = "since {from}: {reason}", "depuis {from} : {reason}";
    PAUSE_OVER = "from {from} to {to}: {reason}", "du {from} au {to} : {reason}";
    PLAN = "digest of the plan", "empreinte du plan";
    BEGAN = "began from, nearest first", "partie de, du plus proche au plus lointain";
    BEGAN_RELEASE = "the release {digest} of {study}", "la version publiée {digest} de {study}";
    BEGAN_FILE = "the file {name}, {digest}, which nobody signed", "le fichier {name}, {digest}, que personne n’a signé";
    CREATED = "created, started", "créée, lancée";
    FINAL = "final model", "modèle final";
    JOINED = "joined", "participants";
    DECLINED = "declined, by the clause of their policy", "refus, par la clause de leur politique";
    EVALUATED = "told how good the final model is", "ont évalué le modèle final";
    ROUNDS_DONE = "rounds", "tours";
    ROUNDS_OF = "{done} of {planned}", "{done} sur {planned}";
    OTHER_PLAN = "joined under another plan", "inscrit sous un autre plan";

    ROUND = "round", "tour";
    FINISHED = "finished", "terminé";
    UPDATES = "updates", "mises à jour";
    RADIOGRAPHS = "radiographs", "radiographies";
    BYTES = "bytes", "octets";
    NOT_TAKEN = "refused", "refusées";
    SILENT = "silent", "silencieux";
    LOSS = "loss before", "perte avant";
    QUALITY = "quality of the model before it", "qualité du modèle de départ";
    QUALITY_SHARE = "{label} {percent} % right, classes weighing the same", "{label} {percent} % justes, classes à poids égal";
    QUALITY_ERROR = "{label} off by {error} (always the same: {constant})", "{label} écart moyen {error} (constante : {constant})";
    QUALITY_DICE = "{label} masks overlap (Dice) {dice} (one mask for all: {constant})", "{label} recouvrement des masques (Dice) {dice} (un masque pour tous : {constant})";
    QUALITY_DRAWN = "radiographs drawn again: mean squared error {error} (each one's mean: {constant})", "radiographies redessinées : erreur quadratique moyenne {error} (moyenne de chacune : {constant})";
    QUALITY_FOUND = "radiographs of the same patient found: {percent} % (by chance: {chance} %)", "radiographies du même patient retrouvées : {percent} % (par hasard : {chance} %)";
    CURVES_FOUND = "How often a radiograph of the same patient is found at each hospital, in percent, after each round:", "Part des radiographies du même patient retrouvées dans chaque hôpital, en pour cent, après chaque tour :";
    CURVES_DRAWN = "How far off radiographs drawn again are at each hospital, squared, after each round:", "Écart quadratique des radiographies redessinées dans chaque hôpital, après chaque tour :";
    CURVES_SHARE = "How many of {label} are told right at each hospital, in percent, classes weighing the same, after each round:", "Part de {label} justes dans chaque hôpital, en pour cent, classes à poids égal, après chaque tour :";
    CURVES_DICE = "How well masks of {label} overlap (Dice) at each hospital, in percent, after each round:", "Recouvrement des masques (Dice) pour {label} dans chaque hôpital, en pour cent, après chaque tour :";
    CURVES_ERROR = "How far off {label} is on average at each hospital, after each round:", "Écart moyen pour {label} dans chaque hôpital, après chaque tour :";
    QUALITY_AREA = "{quality} (AUROC {area})", "{quality} (AUROC {area})";
    RANKS = "How the final model ranks patients within each hospital (AUROC: how often a radiograph of a class gets a higher score than one of another class there), agrees with the truth beyond chance (Cohen’s kappa), and how far off its probabilities are (Brier, 0 best, 2 worst). Hospitals weigh by their patients; intervals of 95 % are over patients.", "Comment le modèle final place les patients au sein de chaque hôpital (AUROC : part des cas où une radiographie d’une classe y reçoit un score plus haut qu’une autre), concorde avec la vérité au-delà du hasard (kappa de Cohen), et de combien ses probabilités se trompent (Brier, 0 au mieux, 2 au pire). Les hôpitaux pèsent selon leurs patients ; les intervalles de 95 % portent sur les patients.";
    AREA = "AUROC (95 %)", "AUROC (95 %)";
    KAPPA = "kappa (95 %)", "kappa (95 %)";
    BRIER = "Brier", "Brier";
    ALL_HOSPITALS = "all", "tous";
    GAIN = "The final model beside the one that each hospital's radiographs alone make by the same plan, on that hospital's validation patients. Above zero the shared model is better.", "Le modèle final à côté de celui que les radiographies de chaque hôpital donnent seules selon le même plan, sur ses patients de validation. Au-dessus de zéro, le modèle commun est meilleur.";
    HOSPITAL = "hospital", "hôpital";
    LABEL = "label", "étiquette";
    SHARED_MODEL = "shared model", "modèle commun";
    OWN_MODEL = "its own", "le sien";
    DIFFERENCE = "difference (95 %)", "différence (95 %)";
    WITH_INTERVAL = "{value} ({low} to {high})", "{value} ({low} à {high})";
    VERDICT = "so it is", "donc";
    IS_GAIN = "a gain", "un gain";
    IS_HARM = "harm", "une perte";
    IS_OPEN = "open", "indécis";
    WORST = "Least well off for {label}: {site}, {difference}.", "Le moins bien loti pour {label} : {site}, {difference}.";
    MODEL = "its model", "son modèle";
    LEDGER_AGREES = "ledger", "registre";
    AGREES = "agrees", "concorde";
    DIFFERS = "differs", "diffère";
    ROUNDS_SAY = "Under “ledger” stands whether the entries of single updates and the entry that ended the round name the same hospitals and as many as the database.", "La colonne « registre » dit si les inscriptions de chaque mise à jour et celle qui a clos le tour nomment les mêmes hôpitaux, et autant, que la base.";
    CONTRIBUTIONS = "Contributions, by hospital", "Contributions, par hôpital";
    LARGEST_NORM = "largest norm", "norme maximale";
    COSINE = "smallest cosine to the mean", "plus petit cosinus à la moyenne";

    REFUSALS = "Updates that were refused", "Mises à jour refusées";
    REFUSALS_SAY = "A refusal is a normal outcome and stops no round. Here by code, out of the ledger.", "Un refus est une issue normale et n’arrête aucun tour. Ici par code, d’après le registre.";
    REFUSALS_NONE = "None was refused.", "Aucune n’a été refusée.";
    STUDY = "study", "étude";
    CODE = "code", "code";
    WHY = "why", "motif";
    COUNT = "how often", "nombre";

    RELEASES = "Releases", "Publications";
    RELEASES_NONE = "None was signed.", "Aucune n’a été signée.";
    SIGNED = "signed", "signée le";
    DIGEST = "digest", "empreinte";

    LEDGER = "The ledgers, and how to check this page", "Les registres, et comment vérifier cette page";
    LEDGER_SOUND = "The aggregator's ledger has {entries} entries, each bound to the one before by its hash; the head is signed.", "Le registre de l’agrégateur compte {entries} inscriptions, chacune liée à la précédente par son condensat ; la tête est signée.";
    LEDGER_BROKEN = "The ledger does not verify: {fault}. Do not rely on this page.", "Le registre ne se vérifie pas : {fault}. Ne vous fiez pas à cette page.";
    HEAD = "head", "tête";
    LEDGER_KEY = "the aggregator's public key", "clé publique de l’agrégateur";
    KEY_FINGERPRINT = "its fingerprint, to compare by telephone", "son empreinte, à comparer par téléphone";
    HEADS = "Heads of the hospitals' ledgers", "Têtes des registres des hôpitaux";
    HEADS_SAY = "Hospitals show the signed heads of their ledgers, and the aggregator countersigns and keeps them: a hospital can neither cut nor rewrite what came before. Here the last of each; the hospital's ledger must hold it.", "Les hôpitaux présentent les têtes signées de leurs registres ; l’agrégateur les contresigne et les conserve : un hôpital ne peut donc plus ni couper ni réécrire ce qui précède. Voici la dernière de chacun ; le registre de l’hôpital doit la contenir.";
    HEAD_REFUSED = "another head was refused since", "une autre tête a été refusée depuis";
    HEADS_NONE = "None came yet.", "Aucune n’est encore arrivée.";
    INDEX = "entries", "inscriptions";
    SITE_LEDGER_KEY = "key of its ledger", "clé de son registre";
    CHECK_SAYS = "Copy the folder `ledger` away from this machine and check the copy with either program; the second was written from the format alone. A release is checked with the same key.", "Copiez le dossier `ledger` hors de cette machine et vérifiez la copie avec l’un ou l’autre programme ; le second a été écrit d’après le seul format. Une publication se vérifie avec la même clé.";
    RECOUNT_SAYS = "What stands on this page can be had again from the entries and the database:", "Ce qui figure sur cette page peut être retrouvé dans les inscriptions et la base :";

    PROGRAMS = "Programs", "Les programmes";
    VERSION = "version", "version";
    FIRST = "first", "premier";
    LAST = "last", "dernier";
    STARTS = "starts", "démarrages";
    UNFINISHED = "Writes that a crash interrupted, each mended at the next start, nothing acknowledged lost: {count}.", "Écritures interrompues par une panne, réparées au démarrage suivant, sans perte de ce qui était confirmé : {count}.";

    LIMITS = "What this page cannot show", "Ce que cette page ne peut pas montrer";
    LIMIT_SELF = "This page was made by the aggregator that it tells of. The ledger, checked elsewhere with the public key, is the evidence; the page is not.", "Cette page a été produite par l’agrégateur même dont elle parle. La preuve est le registre, vérifié ailleurs avec la clé publique ; ce n’est pas la page.";
    LIMIT_UPDATES = "The aggregator reads the single update of each hospital: there is neither secure aggregation nor noise in this version.", "L’agrégateur lit la mise à jour de chaque hôpital : cette version n’a ni agrégation sécurisée ni bruit.";
    LIMIT_SITES = "What a hospital did on site, it alone can show, with its own ledger and report. Examples and losses are what each hospital said of itself.", "Ce qu’un hôpital a fait sur place, lui seul peut le montrer, avec son propre registre et son rapport. Les effectifs et les pertes sont ceux que chaque hôpital déclare.";
    LIMIT_POISON = "A hospital that sends a bad update within the bounds of the plan is not found out by averaging; norms and cosines are shown so that people can look.", "Un hôpital qui envoie une mauvaise mise à jour dans les bornes du plan n’est pas démasqué par la moyenne ; normes et cosinus sont montrés pour que des personnes puissent regarder.";
    LIMIT_DATABASE = "Titles, times of a hospital's last sign of life, norms and quality come from the database, which is not signed. What the ledger has is said to be from the ledger.", "Les titres, la dernière manifestation d’un hôpital, les normes et la qualité viennent de la base, qui n’est pas signée. Ce qui vient du registre est indiqué comme tel.";
    LIMIT_CLOCK = "Times are those of this machine's clock.", "Les heures sont celles de l’horloge de cette machine.";
}

/// The sentences under "what this page cannot show".
pub const LIMITS_SAID: [Message; 6] = [
    LIMIT_SELF,
    LIMIT_UPDATES,
    LIMIT_SITES,
    LIMIT_POISON,
    LIMIT_DATABASE,
    LIMIT_CLOCK,
];

/// What happened between coordinator and site, in words.
pub const fn step(step: Step) -> Message {
    match step {
        Step::Invited => STEP_INVITED,
        Step::Asked => STEP_ASKED,
        Step::Approved => STEP_APPROVED,
        Step::Refused => STEP_REFUSED,
        Step::Renewed => STEP_RENEWED,
        Step::Revoked => STEP_REVOKED,
        Step::Contested => STEP_CONTESTED,
        Step::CertificateRevoked => STEP_CERTIFICATE_REVOKED,
        Step::HeadRefused => STEP_HEAD_REFUSED,
    }
}

/// Where a study stands, in words.
pub const fn phase(phase: PhaseName) -> Message {
    match phase {
        PhaseName::Draft => PHASE_DRAFT,
        PhaseName::Recruiting => PHASE_RECRUITING,
        PhaseName::Collecting => PHASE_COLLECTING,
        PhaseName::Aggregating => PHASE_AGGREGATING,
        PhaseName::Reviewing => PHASE_REVIEWING,
        PhaseName::Released => PHASE_RELEASED,
        PhaseName::Abandoned => PHASE_ABANDONED,
    }
}

/// Why something was refused, in words.
pub const fn problem(code: ProblemCode) -> Message {
    let (english, french) = match code {
        ProblemCode::CertificateMissing => ("no certificate", "aucun certificat"),
        ProblemCode::CertificateRevoked => ("revoked", "révoqué"),
        ProblemCode::InvitationInvalid => (
            "invitation unknown, used or expired",
            "invitation inconnue, utilisée ou expirée",
        ),
        ProblemCode::RequestInvalid => (
            "request for a certificate does not verify",
            "demande de certificat invalide",
        ),
        ProblemCode::EnrolmentRefused => ("the coordinator refused", "refus du coordinateur"),
        ProblemCode::VersionUnsupported => ("versions do not meet", "versions incompatibles"),
        ProblemCode::ClockSkew => ("clocks too far apart", "horloges trop écartées"),
        ProblemCode::NotFound => ("no such thing, or not for this site", "inexistant, ou pas pour ce site"),
        ProblemCode::StudyClosed => ("the study takes none now", "l’étude n’en prend pas en ce moment"),
        ProblemCode::NotJoined => ("had not joined", "non inscrit à l’étude"),
        ProblemCode::RoundClosed => ("the round was over", "tour terminé"),
        ProblemCode::AlreadyContributed => (
            "another update of the round counts",
            "une autre mise à jour du tour compte déjà",
        ),
        ProblemCode::PlanMismatch => ("another plan", "autre plan"),
        ProblemCode::LayoutMismatch => ("not of this network", "pas de ce réseau"),
        ProblemCode::DigestMismatch => ("bytes and digest do not match", "octets et empreinte discordants"),
        ProblemCode::OffsetMismatch => ("a piece did not follow", "fragment non consécutif"),
        ProblemCode::NotFinite => ("a number that is not finite", "nombre non fini"),
        ProblemCode::NormExceeded => ("larger than the plan allows", "norme au-delà du plan"),
        ProblemCode::KeptParameters => (
            "held values that stay at the sites",
            "contenait des valeurs qui restent sur place",
        ),
        ProblemCode::ExamplesOutOfRange => ("too few or too many radiographs", "effectif hors des bornes"),
        ProblemCode::TooLarge => ("too many bytes", "trop d’octets"),
        ProblemCode::Malformed => ("cannot be parsed", "document invalide"),
        ProblemCode::LedgerHeadMissing => (
            "came before a signed head of its ledger",
            "arrivée avant une tête signée de son registre",
        ),
        ProblemCode::LedgerRewound => (
            "its ledger has fewer entries than it had",
            "son registre a moins d’inscriptions qu’avant",
        ),
        ProblemCode::LedgerForked => (
            "its ledger tells another history",
            "son registre raconte une autre histoire",
        ),
        ProblemCode::Busy => ("too many at once", "trop de demandes à la fois"),
        ProblemCode::Internal => ("a fault of the aggregator", "défaut de l’agrégateur"),
    };
    Message { english, french }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_tell_the_same_values() {
        for (name, message) in ALL {
            assert_eq!(message.fault(), None, "{name}");
        }
    }

    #[test]
    fn french_is_written_with_its_own_signs() {
        for (name, message) in ALL {
            let french = message.french;
            assert!(!french.contains('\''), "{name}: a straight apostrophe");
            for mark in [':', ';', '?', '!'] {
                for (place, _) in french.match_indices(mark) {
                    assert!(french[..place].ends_with(' '), "{name}: no space before {mark}");
                }
            }
        }
    }
}
