//! The first page.

use snowball_web::messages;

messages! {
    TITLE = "The consortium {consortium}", "Le consortium {consortium}";
    ATTENTION = "What wants attention", "À regarder";
    ATTENTION_NONE = "Nothing wants attention.", "Rien à signaler.";
    STUDIES = "Studies", "Études";
    STUDIES_NONE = "There is no study yet. Create one from a plan: `aggregator study create PLAN.toml`.", "Il n’y a pas encore d’étude. Créez-en une à partir d’un plan : `aggregator study create PLAN.toml`.";
    STUDIES_TABLE = "Every study and where it stands", "Chaque étude et où elle en est";
    UPDATES = "updates in this round", "mises à jour de ce tour";
    TAKE_PART = "take part", "participants";
    UNTIL = "until", "jusqu’à";
    WHO = "Who is here", "Qui est présent";
    WHO_TABLE = "Every site, its last sign of life and what it does", "Chaque site, son dernier signe de vie et ce qu’il fait";
    WHO_NONE = "No hospital was enrolled yet. Invite one on the page of the sites.", "Aucun hôpital n’est encore enrôlé. Invitez-en un à la page des sites.";
    SIGN = "last sign of life", "dernier signe de vie";
    DOES = "what it does", "ce qu’il fait";
    REVOKED = "revoked", "révoqué";
    IN_NO_STUDY = "in no open study", "dans aucune étude ouverte";
    TILE_HERE = "of {sites} sites are here now", "sur {sites} sites sont présents";
    TILE_OPEN = "studies under way", "études en cours";
    TILE_WAITING = "requests wait for you", "demandes vous attendent";
    TILE_MATTERS = "matters want attention", "points à regarder";

    LEDGER_BROKEN = "The aggregator's ledger does not verify: {fault}. Stop and keep the folder as it is for the auditor.", "Le registre de l’agrégateur ne se vérifie pas : {fault}. Arrêtez et gardez le dossier tel quel pour l’auditeur.";
    HEAD_REFUSED = "{site} showed a head of its ledger that contradicts the one before. Ask the hospital whether an older copy was put back.", "{site} a montré une tête de registre qui contredit la précédente. Demandez à l’hôpital si une copie ancienne a été remise.";
    CONTESTED = "A second key tried an invitation of {site} ({tries} times). The line has leaked, or the hospital made its folder anew: ask them before you approve anything.", "Une seconde clé a tenté une invitation de {site} ({tries} fois). La ligne a fuité, ou l’hôpital a refait son dossier : demandez-leur avant d’approuver quoi que ce soit.";
    DISK_FULL = "The disk has {left} MiB left; the limit is {limit} MiB. Remove what is not the aggregator's, or move the folder to a larger disk.", "Il reste {left} Mio sur le disque ; la limite est {limit} Mio. Retirez ce qui n’est pas à l’agrégateur, ou déplacez le dossier vers un disque plus grand.";
    OWN_CERTIFICATE = "{what} ends in {days} days: {remedy}.", "{what} : fin dans {days} jours ({remedy}).";
    SITE_CERTIFICATE = "The certificate of {site} ends in {days} days and was not renewed: is its node running?", "Le certificat de {site} prend fin dans {days} jours et n’a pas été renouvelé : son nœud tourne-t-il ?";
    NO_CERTIFICATE = "{site} has no certificate that holds: it must be invited and approved anew.", "{site} n’a plus de certificat valable : il faut l’inviter et l’approuver à nouveau.";
    WAITING = "{site} asks for a certificate: have them read their fingerprint to you.", "{site} demande un certificat : faites-vous lire son empreinte.";
    NO_QUORUM = "Round {round} of {study} lacks its quorum; its time was made longer ({extensions}).", "Le tour {round} de {study} n’a pas son quorum ; son délai a été prolongé ({extensions}).";
    SILENT = "{site} is awaited in {study} and silent since {since}: is its node running?", "{site} est attendu dans {study} et muet depuis {since} : son nœud tourne-t-il ?";
    REFUSED = "An update of {site} in round {round} of {study} was refused: {why}.", "Une mise à jour de {site} au tour {round} de {study} a été refusée : {why}.";
    PAUSED = "{study} is paused: {reason}", "{study} est en pause : {reason}";
    RELEASABLE = "{study} has all its evaluations: `aggregator release create {name} --out DIR` makes the release.", "{study} a toutes ses évaluations : `aggregator release create {name} --out DIR` crée la publication.";
}
