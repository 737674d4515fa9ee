//! The page of a study.

use snowball_web::messages;

messages! {
    TITLE = "{study}: {title}", "{study} : {title}";
    NOW = "At this moment", "En ce moment";
    PHASE_PAUSED = "paused since {since}: {reason}", "en pause depuis {since} : {reason}";
    ACTS = "What you can do", "Ce que vous pouvez faire";
    START = "Start it", "Lancer";
    PAUSE = "Pause it", "Mettre en pause";
    RESUME = "Have it go on", "Reprendre";
    ABORT = "Abort it", "Abandonner";
    MEMBERS = "Every site that has answered, and what it does", "Chaque site qui a répondu, et ce qu’il fait";
    MEMBERS_NONE = "No site has answered yet.", "Aucun site n’a encore répondu.";
    DOES = "in this round", "dans ce tour";
    SEEN = "last sign of life", "dernier signe de vie";
    EXAMPLES = "radiographs", "radiographies";
    SENT_AT = "sent at", "envoyé à";
    DEADLINE = "deadline", "échéance";
    EXTENDED = "made longer, times", "prolongé, fois";
    IN_OF = "{in} of {all}", "{in} sur {all}";
    TILE_SENT = "updates of this round are in", "mises à jour de ce tour reçues";
    TILE_EVALUATED = "have evaluated the final model", "ont évalué le modèle final";
    TILE_JOINED = "sites take part, at least {min} are needed", "sites participants, il en faut au moins {min}";
    TILE_ROUND = "of {rounds} rounds", "sur {rounds} tours";
    TILE_HERE = "sites are here now", "sites sont présents";
    DECLINED_BY = "declined by {clause}: {reason}", "refus selon {clause} : {reason}";

    ROUNDS = "Rounds", "Tours";
    ROUNDS_TABLE = "Every round: who sent, who was late, who was missing", "Chaque tour : qui a envoyé, qui était en retard, qui manquait";
    ROUNDS_NONE = "No round has begun.", "Aucun tour n’a commencé.";
    CLOSED = "closed", "fermé";
    OPEN = "open", "ouvert";
    BECOMES = "becomes a model", "devient un modèle";
    WHO_SENT = "sent", "ont envoyé";
    WHO_LATE = "late", "en retard";
    WHO_MISSING = "missing", "manquants";
    WHO_REFUSED = "refused", "refusés";
    LOSS = "loss before", "perte avant";
    QUALITY = "model before it", "modèle de départ";
    ALL_SENT = "all {count}", "tous les {count}";
    ROUNDS_OLDER = "{count} older rounds", "{count} tours plus anciens";

    COURSE = "Quality", "Qualité";
    COURSE_NONE = "No site has let a measure of quality leave yet.", "Aucun site n’a encore laissé sortir de mesure de qualité.";
    COURSE_SHARE = "Classes told right over all sites, in percent, classes weighing the same, by the round that made the model; bars, where there are some, are 95 % intervals:", "Classes reconnues sur tous les sites, en pour cent, classes à poids égal, selon le tour qui a fait le modèle ; les barres, s’il y en a, sont des intervalles à 95 % :";
    COURSE_ERROR = "Mean error of {label} over all sites, by the round that made the model; bars, where there are some, are 95 % intervals:", "Erreur moyenne de {label} sur tous les sites, selon le tour qui a fait le modèle ; les barres, s’il y en a, sont des intervalles à 95 % :";
    EACH_SITE = "At each site, and what each has from it", "Dans chaque site, et ce que chacun y gagne";

    REFUSALS = "Refusals", "Refus";
    REFUSALS_TABLE = "Updates that did not count, newest first", "Mises à jour qui n’ont pas compté, les plus récentes d’abord";
    REFUSALS_NONE = "None. A refusal is a normal outcome and stops no round.", "Aucun. Un refus est une issue normale et n’arrête aucun tour.";
    CODE = "code", "code";
    REASON = "reason", "motif";
    REMEDY = "what to do", "que faire";

    PLAN = "The plan", "Le plan";
    PLAN_SAY = "Sites approve the digest of the whole plan; it can not be changed.", "Les sites approuvent l’empreinte du plan entier ; il ne peut pas être changé.";
    WHOLE = "The whole plan, as it was approved", "Le plan entier, tel qu’approuvé";
}
