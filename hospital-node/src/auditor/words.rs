//! The texts of the auditor's page, each in English and French.

use snowball_protocol::intake::IntakeReason;
use snowball_web::{Message, messages};

messages! {
    TITLE = "Auditor's report of {site}", "Rapport d’audit du site {site}";
    LEAD = "Made on {day} by program {version} out of what the node keeps: its ledger, its policy, its store. No value of a patient is on this page. Counts of fewer than {cell_min} are hidden.", "Établi le {day} par le programme {version} à partir de ce que le nœud conserve : son registre, sa politique, ses données. Aucune donnée de patient ne figure sur cette page. Les effectifs inférieurs à {cell_min} sont masqués.";
    PERIOD = "Told: {from} – {to}. Policies, certificates, programs and the answers to studies are told over the whole ledger, because they hold on.", "Période : {from} – {to}. Les politiques, les certificats, les programmes et les réponses aux études sont présentés sur tout le registre, car ils restent en vigueur.";
    BEGINNING = "the beginning", "début";
    TODAY = "today", "aujourd’hui";
    NONE = "none", "aucun";
    FEWER = "fewer than {count}", "moins de {count}";
    HIDDEN = "hidden", "masqué";

    TILE_LEFT = "bytes left the hospital, every one of them in the ledger first", "octets ont quitté l’hôpital, chacun d’abord inscrit au registre";
    TILE_ROUNDS = "receipts of the aggregator; {sound} of them hold", "reçus de l’agrégateur, dont {sound} valides";
    TILE_DENIED = "times the policy said no", "refus prononcés par la politique";
    TILE_LEDGER_SOUND = "sound", "intact";
    TILE_LEDGER_BROKEN = "broken", "altéré";
    TILE_LEDGER = "the ledger, {entries} entries", "le registre, {entries} inscriptions";

    POLICY = "The policy in force", "La politique en vigueur";
    POLICY_SAYS = "The node obeys this file and nothing else. What it does not permit is denied.", "Le nœud obéit à ce fichier et à rien d’autre. Ce qu’il n’autorise pas est refusé.";
    POLICY_NONE = "No policy is in force: {fault}. Nothing may run and nothing may leave.", "Aucune politique n’est en vigueur : {fault}. Rien ne peut s’exécuter et rien ne peut sortir.";
    BOARD = "board, reference", "comité, référence";
    VERSION_STAGE = "version, stage", "version, étape";
    HOLDS = "holds", "validité";
    HOLDS_DAYS = "{from} until before {to}", "du {from} inclus au {to} exclu";
    DIGEST = "digest", "empreinte";
    POLICY_ALOUD = "In sentences", "En clair";
    POLICY_HISTORY = "Policies since the beginning", "Les politiques depuis le début";
    POLICY_NEVER = "No policy was ever installed.", "Aucune politique n’a jamais été installée.";
    INSTALLED = "came into force", "entrée en vigueur";
    VERSION = "version", "version";
    STAGE = "stage", "étape";
    FILE_NOT_KEPT = "its file is not kept here", "son fichier n’est pas conservé ici";

    STUDIES = "Studies", "Les études";
    STUDIES_SAY = "A study is a document without code. The board approves its digest; the node runs it or refuses.", "Une étude est un document sans code. Le comité en approuve l’empreinte ; le nœud l’exécute ou refuse.";
    STUDIES_NONE = "The site never answered to a study.", "Le site n’a jamais répondu à une étude.";
    STUDY = "study", "étude";
    PLAN = "plan", "plan";
    APPROVED_BY = "approved by", "approuvée par";
    STATE = "state", "état";
    ROUNDS = "rounds", "tours";
    LAST = "last entry", "dernière inscription";
    STATE_JOINED = "joined on {day}", "rejointe le {day}";
    STATE_DECLINED = "declined on {day}, by the clause `{clause}`", "refusée le {day}, par la clause `{clause}`";
    STATE_EVALUATED = "the final model was evaluated here", "le modèle final a été évalué ici";
    STATE_LOCAL = "trained here only", "entraînement local seulement";
    BY_POLICY = "policy {digest}", "politique {digest}";

    RECEIPTS = "Rounds and receipts", "Tours et reçus";
    RECEIPTS_SAY = "For each update that counted the aggregator signed a receipt. It holds where it is signed by the aggregator of the enrolment and names the very update that the ledger approved.", "Pour chaque mise à jour prise en compte, l’agrégateur a signé un reçu. Il est valide s’il porte la signature de l’agrégateur de l’enrôlement et désigne exactement la mise à jour que le registre a approuvée.";
    RECEIPTS_NONE = "No round was trained.", "Aucun tour n’a été entraîné.";
    ROUND = "round", "tour";
    EXAMPLES = "radiographs", "radiographies";
    UPDATE = "update", "mise à jour";
    BYTES = "bytes", "octets";
    RECEIVED = "received", "reçue le";
    RECEIPT = "receipt", "reçu";
    RECEIPT_HOLDS = "holds", "valide";
    RECEIPT_NOT_SIGNED = "not signed by the aggregator", "non signé par l’agrégateur";
    RECEIPT_OTHER = "of another update", "d’une autre mise à jour";
    RECEIPT_NOT_HAD = "none: by the aggregator it never counted", "aucun : selon l’agrégateur, elle n’a jamais compté";
    RECEIPT_MISSING = "none yet", "pas encore";

    LEFT = "What left the hospital", "Ce qui a quitté l’hôpital";
    LEFT_SAYS = "Two kinds of bytes leave: updates of networks, and requests. Measurements of quality travel inside requests, so their bytes are in those already. Each is written down by digest and size, durable, before its first byte leaves.", "Deux sortes d’octets sortent : les mises à jour de réseaux et les requêtes. Les mesures de qualité voyagent dans les requêtes ; leurs octets y sont donc déjà comptés. Chaque envoi est inscrit par son empreinte et sa taille, de façon durable, avant que son premier octet ne sorte.";
    LEFT_NOTHING = "Nothing left.", "Rien n’est sorti.";
    PER_MONTH = "By month", "Par mois";
    PER_STUDY = "By study", "Par étude";
    PER_KIND = "Requests, by kind", "Les requêtes, par nature";
    MONTH = "month", "mois";
    KIND = "kind", "nature";
    UPDATES = "updates", "mises à jour";
    UPDATE_BYTES = "bytes of updates", "octets de mises à jour";
    METRICS = "measurements", "mesures";
    METRICS_BYTES = "their bytes", "leurs octets";
    REQUESTS = "requests", "requêtes";
    REQUEST_BYTES = "bytes of requests", "octets de requêtes";
    ALL_BYTES = "bytes in all", "total des octets";
    TOTAL = "in all", "total";
    PLOT = "bytes that left, by month", "octets sortis, par mois";
    PLOT_LAST = "The last {count} months; the table has all.", "Les {count} derniers mois ; le tableau les contient tous.";
    KIND_HELLO = "greeting: versions, policy digest, clock", "salutation : versions, empreinte de la politique, horloge";
    KIND_ENROLMENT = "request for the first certificate", "demande du premier certificat";
    KIND_RENEWAL = "request for the next certificate", "demande du certificat suivant";
    KIND_AUTHORITIES = "which certificate authorities are trusted here", "autorités de certification reconnues ici";
    KIND_HEAD = "signed head of this ledger", "tête signée de ce registre";
    KIND_JOIN = "joining a study", "participation à une étude";
    KIND_DECLINE = "declining a study", "refus d’une étude";
    KIND_HEADER = "header of an update, with measurements where the policy lets them", "en-tête de mise à jour, avec les mesures si la politique les autorise";
    KIND_EVALUATION = "quality of the final model", "qualité du modèle final";

    EXCLUDED = "What was kept out, and why", "Ce qui a été écarté, et pourquoi";
    EXCLUDED_SAYS = "Each file that became no radiograph stands in the ledger by its digest and its reason. The words that people typed stand there, too, and not here: they could name somebody.", "Chaque fichier qui n’est pas devenu une radiographie figure au registre, avec son empreinte et son motif. Les mots saisis par des personnes y figurent aussi, mais pas ici : ils pourraient désigner quelqu’un.";
    WAY = "way", "voie";
    WAY_TRAINING = "intake for training", "admission pour l’entraînement";
    WAY_DICOM = "de-identified DICOM", "DICOM désidentifié";
    RUNS = "runs", "passages";
    ACCEPTED = "taken in or written", "admis ou écrits";
    KEPT_OUT = "kept out", "écartés";
    REASON = "reason", "motif";
    END = "where it ends", "issue";
    FILES = "files", "fichiers";
    QUARANTINED = "waits for a person", "attend une personne";
    REJECTED = "never used", "jamais utilisé";
    PEOPLE = "What people did", "Actes des personnes";
    REVIEWED = "quarantined files reviewed", "fichiers en quarantaine examinés";
    DISCARDED = "quarantined files let go", "fichiers en quarantaine supprimés";
    PICTURES = "quarantined pictures looked at", "images en quarantaine affichées";
    LOOKED_UP = "pseudonyms looked up", "pseudonymes levés";
    LINKAGE_GONE = "the way back from pseudonyms was destroyed", "le lien vers les patients a été détruit le";
    BACKUPS = "backups made of this node", "sauvegardes faites de ce nœud";
    BACKUPS_KEYS = "of these, with its keys", "dont avec ses clés";
    BACKUPS_VAULT_KEY = "of these, with the way back from pseudonyms", "dont avec le lien vers les patients";
    WITHDRAWALS = "patients who withdrew", "patients ayant retiré leur accord";
    WITHDRAWN = "their radiographs, removed", "leurs radiographies, supprimées";
    WITHDRAWN_STUDIES = "studies whose models may have learned from them", "études dont les modèles ont pu apprendre d’eux";

    DECISIONS = "What the policy decided", "Les décisions de la politique";
    DECISIONS_SAY = "The policy is asked before a study is joined, before each training and again before anything is sent. A clause is a place in the policy's file: for a denial the one that denies, for a permit the most particular of those that were checked.", "La politique est consultée avant de rejoindre une étude, avant chaque entraînement, puis de nouveau avant tout envoi. Une clause est un endroit du fichier de la politique : pour un refus celle qui refuse, pour une autorisation la plus précise de celles qui ont été vérifiées.";
    DECISIONS_NONE = "It was never asked.", "Elle n’a jamais été consultée.";
    ACTION = "to do what", "action demandée";
    CLAUSE = "clause", "clause";
    PERMITTED = "permitted", "autorisé";
    DENIED = "denied", "refusé";
    ACTION_JOIN = "join a study", "rejoindre une étude";
    ACTION_TRAIN = "train", "entraîner";
    ACTION_TRAIN_ALONE = "train alone", "entraîner seul";
    ACTION_EVALUATE = "evaluate a model here", "évaluer un modèle sur place";
    ACTION_SEND_UPDATE = "send an update", "envoyer une mise à jour";
    ACTION_SEND_METRICS = "send measurements", "envoyer des mesures";
    ACTION_SEND_DETAILED_METRICS = "send detailed measurements", "envoyer des mesures détaillées";

    DEIDENTIFICATION = "De-identification", "Désidentification";
    DEIDENTIFICATION_SAYS = "In short; the whole evidence: `hospital-node report deidentification --out FILE`.", "En bref ; le dossier complet : `hospital-node report deidentification --out FILE`.";
    RULES = "rules", "règles";
    RULES_SAY = "DICOM PS3.15 Annex E, edition {edition}, and the list of each image class; what neither names is removed", "DICOM PS3.15 annexe E, édition {edition}, et la liste de chaque classe d’image ; ce que ni l’une ni l’autre ne nomme est supprimé";
    OPTIONS = "options", "options";
    STRICTEST = "none: the strictest profile", "aucune : le profil le plus strict";
    KEPT = "radiographs kept for training", "radiographies conservées pour l’entraînement";
    REDACTED = "of these, with text removed from the pixels", "dont texte retiré des pixels";
    SELFTEST = "self-test", "autotest";
    SELFTEST_NEVER = "never run", "jamais exécuté";
    SELFTEST_PASSED = "passed on {day}", "réussi le {day}";
    SELFTEST_FAILED = "failed on {day}", "échoué le {day}";
    SAMPLES = "samples of pictures that people looked through", "échantillons d’images examinés par des personnes";
    SAMPLE = "{found} with text in {looked}, {day}", "{found} avec texte sur {looked}, le {day}";
    STAND_OUT = "combinations of age band, sex, body part and maker", "combinaisons de tranche d’âge, sexe, région et fabricant";
    STAND_OUT_SAYS = "{all}, of which {small} have fewer than {cell_min} patients", "{all}, dont {small} comptent moins de {cell_min} patients";

    LEDGER = "The ledger, and how to check this page", "Le registre, et comment vérifier cette page";
    LEDGER_SOUND = "{entries} entries, each bound to the one before by its hash; the head is signed. Whoever changes, drops, reorders or cuts one is found out.", "{entries} inscriptions, chacune liée à la précédente par son condensat ; la tête est signée. Toute modification, suppression, permutation ou coupure est détectée.";
    LEDGER_BROKEN = "The ledger does not verify: {fault}. Do not rely on this page.", "Le registre ne se vérifie pas : {fault}. Ne vous fiez pas à cette page.";
    HEAD = "head", "tête";
    LEDGER_KEY = "the ledger's public key", "clé publique du registre";
    KEY_FINGERPRINT = "its fingerprint, to compare by telephone", "son empreinte, à comparer par téléphone";
    AGGREGATOR = "aggregator", "agrégateur";
    AGGREGATOR_KEY = "its key, which signs receipts", "sa clé, qui signe les reçus";
    CA_FINGERPRINT = "fingerprint of the consortium's CA", "empreinte de l’autorité du consortium";
    NOT_ENROLLED = "not enrolled", "non enrôlé";
    HEADS = "heads of both ledgers exchanged", "têtes des deux registres échangées";
    HEADS_LAST = "{count}, last on {day}", "{count}, la dernière le {day}";
    HEADS_REFUSED = "heads of the aggregator that contradicted an earlier one", "têtes de l’agrégateur contredisant une précédente";
    CHECK_SAYS = "Copy the folder `ledger` away from this machine and check the copy with either program; the second was written from the format alone. Compare with the heads that the aggregator kept (`--heads`): one is in each receipt, the last in the coordinator's report.", "Copiez le dossier `ledger` hors de cette machine et vérifiez la copie avec l’un ou l’autre programme ; le second a été écrit d’après le seul format. Comparez avec les têtes que l’agrégateur a conservées (`--heads`) : une figure dans chaque reçu, la dernière dans le rapport du coordinateur.";
    RECOUNT_SAYS = "Each sum on this page can be had again from the entries:", "Chaque somme de cette page peut être recalculée à partir des inscriptions :";

    CERTIFICATES = "Certificates", "Les certificats";
    CERTIFICATE_IN_USE = "In use: `{serial}`, from {from} to {to}.", "En service : `{serial}`, du {from} au {to}.";
    CERTIFICATE_NONE = "The node has no certificate.", "Le nœud n’a pas de certificat.";
    SERIAL = "serial number", "numéro de série";
    CAME = "came on", "reçu le";
    WHAT = "what", "nature";
    ENROLMENT = "enrolment", "enrôlement";
    RENEWAL = "renewal, or a new enrolment", "renouvellement, ou nouvel enrôlement";

    PROGRAMS = "Programs", "Les programmes";
    STARTS = "starts", "démarrages";
    FIRST = "first", "premier";
    LAST_START = "last", "dernier";
    UNFINISHED = "Writes that a crash interrupted, each mended at the next start, nothing acknowledged lost: {count}.", "Écritures interrompues par une panne, réparées au démarrage suivant, sans perte de ce qui était confirmé : {count}.";

    LIMITS = "What this page cannot show", "Ce que cette page ne peut pas montrer";
    LIMIT_OTHER_WAYS = "What left the hospital by other ways than this node is not here.", "Ce qui a quitté l’hôpital par d’autres voies que ce nœud n’y figure pas.";
    LIMIT_UPDATES = "An update holds no picture. But whoever receives it could learn something about the radiographs behind it: there is neither noise nor secure aggregation in this version.", "Une mise à jour ne contient aucune image. Mais son destinataire pourrait en apprendre quelque chose sur les radiographies d’origine : cette version n’a ni bruit ni agrégation sécurisée.";
    LIMIT_WIRE = "Bytes are those of bodies. Encryption adds to them, and a piece that is sent again after a broken line counts once. Questions without a body (which studies are open, what to do next, give me the model) are not counted; nor is asking whether an enrolment was decided.", "Les octets sont ceux des corps de messages. Le chiffrement s’y ajoute, et un fragment renvoyé après une coupure compte une seule fois. Les questions sans corps (quelles études sont ouvertes, que faire ensuite, donnez-moi le modèle) ne sont pas comptées, pas plus que les demandes sur l’état d’un enrôlement.";
    LIMIT_APPROVED = "An update that was approved counts as sent, even where its line broke and it never arrived. The receipts say which did.", "Une mise à jour approuvée compte comme envoyée, même si la ligne s’est rompue et qu’elle n’est jamais arrivée. Les reçus disent lesquelles sont arrivées.";
    LIMIT_CLOCK = "Times are those of this machine's clock.", "Les heures sont celles de l’horloge de cette machine.";
    LIMIT_ROOT = "Whoever has root on the running node could change the program itself, and make a ledger of lies from that moment on. What was countersigned elsewhere before can not be changed.", "Quiconque est root sur le nœud en marche pourrait modifier le programme lui-même et tenir dès lors un registre mensonger. Ce qui a été contresigné ailleurs auparavant ne peut plus être changé.";
    LIMIT_SMALL = "Small counts are hidden cell by cell; who knows that a patient was examined here may still guess.", "Les petits effectifs sont masqués case par case ; qui sait qu’un patient a été examiné ici peut encore deviner.";
    LIMIT_SELF = "This page was made by the node that it tells of. The ledger, checked elsewhere with the public key, is the evidence; the page is not.", "Cette page a été produite par le nœud même dont elle parle. La preuve est le registre, vérifié ailleurs avec la clé publique ; ce n’est pas la page.";
}

/// The sentences under "what this page cannot show".
pub const LIMITS_SAID: [Message; 8] = [
    LIMIT_SELF,
    LIMIT_OTHER_WAYS,
    LIMIT_UPDATES,
    LIMIT_APPROVED,
    LIMIT_WIRE,
    LIMIT_CLOCK,
    LIMIT_ROOT,
    LIMIT_SMALL,
];

/// A kind of request, in words; a kind that this version does not know is told as it is written.
pub fn kind(kind: &str) -> Option<Message> {
    Some(match kind {
        "hello" => KIND_HELLO,
        "enrolment" => KIND_ENROLMENT,
        "certificate renewal" => KIND_RENEWAL,
        "authorities" => KIND_AUTHORITIES,
        "ledger head" => KIND_HEAD,
        "join" => KIND_JOIN,
        "decline" => KIND_DECLINE,
        "update header" => KIND_HEADER,
        "evaluation" => KIND_EVALUATION,
        _ => return None,
    })
}

/// What the policy was asked, in words.
pub fn action(action: &str) -> Option<Message> {
    Some(match action {
        "join" => ACTION_JOIN,
        "train" => ACTION_TRAIN,
        "train alone" => ACTION_TRAIN_ALONE,
        "evaluate" => ACTION_EVALUATE,
        "send update" => ACTION_SEND_UPDATE,
        "send metrics" => ACTION_SEND_METRICS,
        "send detailed metrics" => ACTION_SEND_DETAILED_METRICS,
        _ => return None,
    })
}

/// A stage as written in policies, in words.
pub fn stage(stage: &str) -> Option<Message> {
    let pair = |english, french| Some(Message { english, french });
    match stage {
        "local" => pair("local", "locale"),
        "proof-of-concept" | "proofofconcept" => pair("proof of concept", "preuve de concept"),
        "collaboration" => pair("collaboration", "collaboration"),
        "publication" => pair("publication", "publication"),
        _ => None,
    }
}

/// Why a file was kept out, in words.
pub const fn reason(reason: IntakeReason) -> Message {
    let (english, french) = match reason {
        IntakeReason::NotDicom => ("not DICOM", "pas du DICOM"),
        IntakeReason::Empty => ("empty", "vide"),
        IntakeReason::TooLarge => ("larger than the limit", "plus gros que la limite"),
        IntakeReason::TooDeep => ("nested too deep", "imbrication trop profonde"),
        IntakeReason::Truncated => ("ends too soon", "tronqué"),
        IntakeReason::Malformed => ("cannot be parsed", "illisible : structure invalide"),
        IntakeReason::Dicomdir => ("a directory of files", "répertoire DICOMDIR"),
        IntakeReason::Document => ("a document, not a picture", "un document, pas une image"),
        IntakeReason::SopClass => (
            "not a radiograph, by its class",
            "pas une radiographie, d’après sa classe",
        ),
        IntakeReason::Modality => (
            "not a radiograph, by its modality",
            "pas une radiographie, d’après sa modalité",
        ),
        IntakeReason::NoPixels => ("no pixels", "sans pixels"),
        IntakeReason::SizeBomb => (
            "asks for more pixels than the limit",
            "annonce plus de pixels que la limite",
        ),
        IntakeReason::SizeMismatch => ("header and pixels do not match", "en-tête et pixels discordants"),
        IntakeReason::NotGrey => ("not one grey picture", "pas une image unique en niveaux de gris"),
        IntakeReason::TransferSyntax => ("unknown compression", "compression inconnue"),
        IntakeReason::DecodeError => ("the pixels did not decode", "pixels indécodables"),
        IntakeReason::BurnedInText => ("text in the pixels", "texte incrusté dans les pixels"),
        IntakeReason::Duplicate => ("here already", "déjà présent"),
        IntakeReason::UidConflict => (
            "another content under a known identity",
            "autre contenu sous une identité connue",
        ),
        IntakeReason::MissingIdentity => ("an identity is missing", "identité manquante"),
        IntakeReason::Unreadable => ("could not be read from disk", "illisible sur le disque"),
        IntakeReason::IdentifierRemains => (
            "an identifier remained, so it was deleted again",
            "un identifiant subsistait : de nouveau supprimé",
        ),
        IntakeReason::TextRemains => (
            "a second look saw text in the pixels: taken back",
            "du texte a été vu dans les pixels au second contrôle : retiré",
        ),
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
    fn every_kind_of_request_has_words() {
        use snowball_egress::Kind;
        for known in Kind::ALL.into_iter().filter(|known| *known != Kind::Update) {
            assert!(kind(known.code()).is_some(), "{known:?}");
        }
        assert!(kind("enrolment").is_some());
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
