//! The page of the sites.

use snowball_web::messages;

messages! {
    TITLE = "Sites", "Sites";
    WAITING = "Requests that wait", "Demandes en attente";
    WAITING_NONE = "Nobody waits.", "Personne n’attend.";
    WAITING_TABLE = "Nodes that asked for a certificate", "Nœuds qui ont demandé un certificat";
    ASKED = "asked", "demandé";
    FINGERPRINT = "fingerprint", "empreinte";
    DECIDE = "decide", "décider";
    APPROVE = "Approve", "Approuver";
    REFUSE = "Refuse", "Refuser";
    CONTESTED = "A second key, {fingerprint}, came with an invitation of {site} that another key had used ({tries} times, last {last}). The line has leaked, or the hospital made its folder anew: compare the fingerprint with them before you approve anything.", "Une seconde clé, {fingerprint}, est venue avec une invitation de {site} qu’une autre clé avait utilisée ({tries} fois, la dernière {last}). La ligne a fuité, ou l’hôpital a refait son dossier : comparez l’empreinte avec eux avant d’approuver quoi que ce soit.";
    ALL_SITES = "Sites that take part", "Sites participants";
    SITES_TABLE = "Every site that was enrolled", "Chaque site enrôlé";
    SITES_NONE = "No hospital was enrolled yet.", "Aucun hôpital n’est encore enrôlé.";
    STATE = "state", "état";
    CERTIFICATE = "certificate", "certificat";
    CERTIFICATE_DAYS = "{days} days left", "reste {days} jours";
    CERTIFICATE_OVERDUE = "{days} days left, not renewed: is its node running?", "reste {days} jours, non renouvelé : son nœud tourne-t-il ?";
    CERTIFICATE_NONE = "none that holds", "aucun valable";
    SEEN = "last sign of life", "dernier signe de vie";
    VERSION = "program", "programme";
    POLICY = "policy", "politique";
    ENROLLED = "enrolled", "enrôlé le";
    ACTIVE = "active", "actif";
    REVOKED = "revoked on {day}: {reason}", "révoqué le {day} : {reason}";
    REVOKE = "Revoke", "Révoquer";
    ACT = "shut out", "exclure";
    INVITE = "Invite a hospital", "Inviter un hôpital";
    INVITE_SAYS = "An invitation is one line that works once. It is shown one time only: hand it over by a channel that you trust. A new one replaces an unused one of the same site.", "Une invitation est une ligne qui sert une fois. Elle n’est montrée qu’une fois : transmettez-la par un canal sûr. Une nouvelle remplace celle du même site qui n’a pas servi.";
    INVITE_SITE = "Name of the site", "Nom du site";
    INVITE_SITE_HINT = "Small letters, digits and hyphens, such as north-hospital.", "Minuscules, chiffres et tirets, par exemple hopital-nord.";
    INVITE_HOURS = "Holds for, in hours", "Valable, en heures";
    INVITE_BUTTON = "Make the invitation", "Créer l’invitation";
    INVITED = "Invitations that nobody has used yet: {sites}.", "Invitations que personne n’a encore utilisées : {sites}.";
    INVITATION = "Invitation for {site}", "Invitation pour {site}";
    INVITATION_ONCE = "This line is shown once. Copy it now; when you leave this page it is gone.", "Cette ligne n’est montrée qu’une fois. Copiez-la maintenant ; quand vous quitterez cette page, elle sera perdue.";
    INVITATION_NEXT = "The hospital runs `hospital-node enroll INVITATION` with it, which shows a fingerprint. Let them read it to you, and approve their request on the page of the sites.", "L’hôpital lance `hospital-node enroll INVITATION` avec elle, ce qui montre une empreinte. Faites-la vous lire, puis approuvez leur demande à la page des sites.";
    INVITATION_UNTIL = "It holds until {time}.", "Elle est valable jusqu’au {time}.";
}
