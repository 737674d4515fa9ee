//! What the coordinator does, and is asked before.

use snowball_web::messages;

messages! {
    START = "Start {study}?", "Lancer {study} ?";
    START_CALLS = "The sites see the study and may join for at most {seconds} s.", "Les sites voient l’étude et peuvent s’inscrire pendant au plus {seconds} s.";
    START_FIXED = "The plan is fixed: its digest is {digest}.", "Le plan est fixé : son empreinte est {digest}.";
    START_BUTTON = "Start the study", "Lancer l’étude";
    STARTED = "{study} was started.", "{study} a été lancée.";
    PAUSE = "Pause {study}?", "Mettre {study} en pause ?";
    PAUSE_RESTS = "Sites are asked for nothing more and the clock stands still; what is under way may still come in.", "Plus rien n’est demandé aux sites et l’horloge s’arrête ; ce qui est en route peut encore arriver.";
    PAUSE_NOTHING_LOST = "Nothing is lost: it goes on where it rested, with as much time left as it had.", "Rien n’est perdu : elle reprend où elle s’était arrêtée, avec autant de temps qu’il en restait.";
    PAUSE_BUTTON = "Pause the study", "Mettre l’étude en pause";
    PAUSED = "{study} is paused.", "{study} est en pause.";
    RESUME = "Have {study} go on?", "Reprendre {study} ?";
    RESUME_SAYS = "Sites are asked to go on where they rested.", "Les sites reprennent où ils s’étaient arrêtés.";
    RESUME_BUTTON = "Have it go on", "Reprendre l’étude";
    RESUMED = "{study} goes on.", "{study} reprend.";
    ABORT = "Abort {study}?", "Abandonner {study} ?";
    ABORT_FINAL = "The study ends without a release. This cannot be undone.", "L’étude prend fin sans publication. C’est irréversible.";
    ABORT_KEPT = "What was written down stays: rounds, refusals, the newest model, the ledger.", "Ce qui a été écrit reste : tours, refus, dernier modèle, registre.";
    ABORT_BUTTON = "Abort the study", "Abandonner l’étude";
    ABORTED = "{study} was aborted.", "{study} a été abandonnée.";
    REVOKE = "Revoke {site}?", "Révoquer {site} ?";
    REVOKE_OUT = "All certificates and invitations of {site} end; what it has open is cut off within {seconds} seconds.", "Tous les certificats et invitations de {site} prennent fin ; ce qu’il a d’ouvert est coupé en {seconds} secondes.";
    REVOKE_KEPT = "What it contributed before stays. To let it in again, invite and approve it anew.", "Ce qu’il a apporté avant reste. Pour le réadmettre, invitez-le et approuvez-le à nouveau.";
    REVOKE_STUDIES = "It takes part in: {studies}. Their rounds go on with the others.", "Il participe à : {studies}. Leurs tours continuent avec les autres.";
    REVOKE_READS = "The site reads your reason.", "Le site lit votre motif.";
    REVOKE_BUTTON = "Revoke the site", "Révoquer le site";
    REVOKED = "{site} is revoked.", "{site} est révoqué.";
    REVOKED_ALREADY = "{site} was revoked already, at {time}: {reason}. Nothing was changed.", "{site} était déjà révoqué, à {time} : {reason}. Rien n’a été changé.";
    APPROVE = "Approve {site}", "Approuver {site}";
    APPROVE_SAYS = "Let the hospital read the fingerprint to you by telephone, and type what you hear: do not copy it from this screen. Only then does it say that nobody stands between you.", "Faites-vous lire l’empreinte par téléphone par l’hôpital, et tapez ce que vous entendez : ne la copiez pas de cet écran. C’est ainsi seulement qu’elle montre que personne ne s’est interposé.";
    APPROVE_WILL = "The aggregator signs a certificate for that key, and the site may take part in studies.", "L’agrégateur signe un certificat pour cette clé, et le site peut participer aux études.";
    APPROVE_TYPED = "Fingerprint that the hospital reads out, all 16 digits", "Empreinte que lit l’hôpital, les 16 chiffres";
    APPROVE_BUTTON = "Approve and sign its certificate", "Approuver et signer son certificat";
    APPROVED = "{site} was approved.", "{site} a été approuvé.";
    REFUSE = "Refuse {site}?", "Refuser {site} ?";
    REFUSE_SAYS = "All waiting requests of {site} are refused. The hospital reads your reason.", "Toutes les demandes en attente de {site} sont refusées. L’hôpital lit votre motif.";
    REFUSE_ONE = "The request of {site} with the fingerprint {fingerprint} is refused, and no other. The hospital reads your reason.", "La demande de {site} dont l’empreinte est {fingerprint} est refusée, et aucune autre. L’hôpital lit votre motif.";
    REFUSE_BUTTON = "Refuse the request", "Refuser la demande";
    REFUSED = "{site} was refused.", "{site} a été refusé.";
    NO_SUCH = "There is no such thing to do.", "Il n’y a rien de tel à faire.";
    SITE_UNKNOWN = "This is no name of a site: small letters, digits and hyphens.", "Ce n’est pas un nom de site : minuscules, chiffres et tirets.";
    HOURS_WRONG = "The hours are a whole number from 1 to 8784.", "Les heures sont un nombre entier de 1 à 8784.";
}
