//! The page of the ledger.

use snowball_web::messages;

messages! {
    TITLE = "The ledger", "Le registre";
    LEAD = "Everything that was done here, each entry bound to the one before by its hash, the head signed.", "Tout ce qui a été fait ici, chaque inscription liée à la précédente par son empreinte, la tête signée.";
    SOUND = "verified", "vérifié";
    CHECKING = "The ledger is being verified for the first time since the program began; this page says what came of it.", "Le registre est en cours de vérification, la première depuis le lancement du programme ; cette page dira ce qu’il en est.";
    BROKEN = "does not verify", "ne se vérifie pas";
    TILE_ENTRIES = "entries", "inscriptions";
    TILE_VERDICT = "up to entry {entries}, at {time}", "jusqu’à l’inscription {entries}, à {time}";
    FAULT = "The ledger does not verify: {fault}. Keep the folder as it is for the auditor.", "Le registre ne se vérifie pas : {fault}. Gardez le dossier tel quel pour l’auditeur.";
    HEAD = "hash of the last entry", "empreinte de la dernière inscription";
    KEY = "public key", "clé publique";
    KEY_FINGERPRINT = "its fingerprint, to compare by telephone", "son empreinte, à comparer par téléphone";
    NEWEST = "The newest entries", "Les dernières inscriptions";
    NEWEST_TABLE = "The newest entries, newest first", "Les dernières inscriptions, les plus récentes d’abord";
    UNSEEN = "The first {count} entries lie in archives that are not here.", "Les {count} premières inscriptions sont dans des archives qui ne sont pas ici.";
    INDEX = "entry", "inscription";
    TIME = "time", "heure";
    WHAT = "what", "quoi";
    HEADS = "Heads of the sites' ledgers", "Têtes des registres des sites";
    HEADS_SAY = "Each site shows the signed head of its own ledger, and the aggregator countersigns and keeps it: neither side can cut or rewrite what came before.", "Chaque site montre la tête signée de son propre registre, et l’agrégateur la contresigne et la garde : aucun côté ne peut couper ni réécrire ce qui précède.";
    HEADS_TABLE = "The newest countersigned head of each site", "La dernière tête contresignée de chaque site";
    HEADS_NONE = "None came yet.", "Aucune n’est encore arrivée.";
    ENTRIES = "entries", "inscriptions";
    REFUSED = "refused since", "refusée depuis";
    CHECK = "Check it yourself", "Vérifiez vous-même";
    CHECK_SAYS = "Copy the folder `ledger` away from this machine and check the copy with either program; the second was written from the format alone.", "Copiez le dossier `ledger` hors de cette machine et vérifiez la copie avec l’un des deux programmes ; le second a été écrit d’après le format seul.";
}
