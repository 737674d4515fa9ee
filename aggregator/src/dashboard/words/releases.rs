//! The pages of the releases.

use snowball_web::messages;

messages! {
    TITLE = "Releases", "Publications";
    NONE = "Nothing was released yet. When a study is in review: `aggregator release create STUDY --out DIR`.", "Rien n’a encore été publié. Quand une étude est en cours d’examen : `aggregator release create STUDY --out DIR`.";
    TABLE = "Every release, oldest first", "Chaque publication, la plus ancienne d’abord";
    SIGNED = "signed", "signée le";
    MODEL = "model", "modèle";
    ROUNDS = "rounds", "tours";
    SITES = "sites", "sites";
    BEGAN = "began from", "partie de";
    SEED = "its seed", "sa graine";
    FILE = "the file {name}", "le fichier {name}";
    FOLDER = "folder", "dossier";
    THERE = "there", "présent";
    GONE = "moved or removed", "déplacé ou supprimé";
    ALTERED = "altered", "altéré";
    CHECK = "How to verify one", "Comment en vérifier une";
    CHECK_SAYS = "Everything needed is in the release's folder and the public key; neither the aggregator nor a network is.", "Tout ce qu’il faut est dans le dossier de la publication et la clé publique ; ni l’agrégateur ni le réseau ne sont nécessaires.";
    ONE = "Release of {study}", "Publication de {study}";
    LINEAGE = "Lineage", "Lignée";
    LINEAGE_TABLE = "From the plan to the model, round by round", "Du plan au modèle, tour par tour";
    MODEL_IN = "from model", "du modèle";
    MODEL_OUT = "to model", "au modèle";
    WHO = "who, with how many radiographs", "qui, avec combien de radiographies";
    DIGEST = "digest of the release", "empreinte de la publication";
    PLAN = "digest of the plan", "empreinte du plan";
    MODEL_DIGEST = "digest of the model", "empreinte du modèle";
    PARAMETERS = "parameters", "paramètres";
    APPROVED_BY = "approved by", "approuvée par";
    NOT_STATED = "not stated", "non précisé";
    CARD = "Model card", "Carte du modèle";
    CARD_GONE = "The card is not where the release was written, or is not the one that was signed.", "La carte n’est pas là où la publication a été écrite, ou n’est pas celle qui a été signée.";
}
