//! The words of the page in French, by the English ones. A test holds this list to them: a text without its translation fails it.

/// The French of a text of this page.
pub fn french(english: &str) -> Option<&'static str> {
    TEXTS
        .iter()
        .find(|(known, _)| *known == english)
        .map(|(_, french)| *french)
}

const TEXTS: &[(&str, &str)] = &[
    // On what a value rests, and how often a message leaves.
    ("the study", "l'étude"),
    ("the hospital", "l'hôpital"),
    ("radiographs of patients", "des radiographies de patients"),
    ("at each start of the service", "à chaque démarrage du service"),
    ("once", "une fois"),
    ("in each round", "à chaque tour"),
    ("instead of all others", "à la place de tous les autres"),
    // What is asked of the policy.
    ("take part in the study", "participer à l'étude"),
    ("train for it", "entraîner pour elle"),
    ("send updates", "envoyer des mises à jour"),
    ("send measurements", "envoyer des mesures"),
    ("send detailed measurements", "envoyer des mesures détaillées"),
    // Messages.
    (
        "Greets the aggregator: versions, clock, and which policy is in force.",
        "Salue l'agrégateur : versions, horloge, et quelle politique est en vigueur.",
    ),
    (
        "Asks for the next certificate: a new public key and the hospital's name.",
        "Demande le prochain certificat : une nouvelle clé publique et le nom de l'hôpital.",
    ),
    (
        "Says which certificate authorities the hospital trusts, when the consortium changes its own.",
        "Dit à quelles autorités de certification l'hôpital se fie, quand le consortium change les siennes.",
    ),
    (
        "Shows where the hospital's ledger stands, so that nobody can rewrite it later unnoticed. It goes also when the service starts and when a study ends.",
        "Montre où en est le registre de l'hôpital, pour que personne ne puisse le réécrire ensuite sans que cela se voie. Part aussi quand le service démarre et quand une étude se termine.",
    ),
    (
        "Says that the hospital takes part in the study.",
        "Dit que l'hôpital participe à l'étude.",
    ),
    (
        "Says that the hospital does not take part, and which clause decided.",
        "Dit que l'hôpital ne participe pas, et quelle clause en a décidé.",
    ),
    (
        "Where the plan corrects drift (SCAFFOLD): the round whose update this hospital's control variate is of. Nothing stands here where it begins at zero, as in the first round, or after it was removed.",
        "Là où le plan corrige la dérive (SCAFFOLD) : le tour dont la mise à jour a donné la variable de contrôle de cet hôpital. Rien ne figure ici quand elle part de zéro, comme au premier tour, ou après son effacement.",
    ),
    (
        "Announces the update of a round and says what it is.",
        "Annonce la mise à jour d'un tour et dit ce qu'elle est.",
    ),
    (
        "The update itself: by how much each number of the network changed in training.",
        "La mise à jour elle-même : de combien chaque nombre du réseau a changé à l'entraînement.",
    ),
    (
        "Says how good the final network is on this hospital's own validation patients.",
        "Dit combien le réseau final est bon sur les patients de validation de cet hôpital.",
    ),
    // Fields.
    (
        "The time on this machine's clock, in seconds since 1970.",
        "L'heure de cette machine, en secondes depuis 1970.",
    ),
    (
        "The fingerprint of the policy in force, not its content.",
        "L'empreinte de la politique en vigueur, non son contenu.",
    ),
    ("The version of this program.", "La version de ce programme."),
    (
        "The newest version of the protocol that it speaks.",
        "La version la plus récente du protocole qu'il parle.",
    ),
    (
        "The oldest version of the protocol that it speaks.",
        "La version la plus ancienne du protocole qu'il parle.",
    ),
    (
        "A request for a certificate: a public key that was made here, and the hospital's name.",
        "Une demande de certificat : une clé publique faite ici, et le nom de l'hôpital.",
    ),
    (
        "The fingerprint of a certificate authority of the consortium that the hospital trusts.",
        "L'empreinte d'une autorité de certification du consortium à laquelle l'hôpital se fie.",
    ),
    (
        "The hospital's name, how many records its ledger holds, the fingerprint of the last, and the hospital's signature.",
        "Le nom de l'hôpital, le nombre d'entrées de son registre, l'empreinte de la dernière, et la signature de l'hôpital.",
    ),
    (
        "The fingerprint of the network's shape, which follows from the plan.",
        "L'empreinte de la forme du réseau, qui découle du plan.",
    ),
    (
        "The fingerprint of the plan that was approved.",
        "L'empreinte du plan qui a été approuvé.",
    ),
    (
        "The fingerprint of the policy that permits it, not its content.",
        "L'empreinte de la politique qui le permet, non son contenu.",
    ),
    (
        "How many radiographs the hospital will train on.",
        "Sur combien de radiographies l'hôpital entraînera.",
    ),
    (
        "The place in the policy that decided, such as approvals.digests.",
        "L'endroit de la politique qui a décidé, comme approvals.digests.",
    ),
    (
        "The fingerprint of the plan that was refused.",
        "L'empreinte du plan qui a été refusé.",
    ),
    (
        "The same in a sentence. It holds no number.",
        "La même chose en une phrase. Elle ne contient aucun nombre.",
    ),
    (
        "Which try of this round it is; 1 unless something broke.",
        "De quel essai de ce tour il s'agit ; 1 sauf panne.",
    ),
    (
        "The size of the update, which follows from the plan; where the largest numbers alone are sent, also from how far apart they lie.",
        "La taille de la mise à jour, qui découle du plan ; où seuls les plus grands nombres sont envoyés, aussi de leur distance entre eux.",
    ),
    (
        "The fingerprint of the update's bytes.",
        "L'empreinte des octets de la mise à jour.",
    ),
    (
        "How the update's numbers are written.",
        "Comment les nombres de la mise à jour sont écrits.",
    ),
    (
        "How many radiographs the update was trained on, at most as many as the plan counts: its weight in the mean.",
        "Sur combien de radiographies la mise à jour a été entraînée, au plus autant que le plan en compte : son poids dans la moyenne.",
    ),
    (
        "The fingerprint of the hospital's ledger up to the entry that approved this update. The aggregator keeps it, so that nobody can rewrite the ledger later.",
        "L'empreinte du registre de l'hôpital jusqu'à l'entrée qui a approuvé cette mise à jour. L'agrégateur la garde, pour que personne ne puisse réécrire le registre ensuite.",
    ),
    (
        "How many entries the hospital's ledger had before that one.",
        "Combien d'entrées le registre de l'hôpital avait avant celle-là.",
    ),
    (
        "The fingerprint of the shared model that training started from.",
        "L'empreinte du modèle partagé dont l'entraînement est parti.",
    ),
    (
        "The fingerprint of the plan that was carried out.",
        "L'empreinte du plan qui a été exécuté.",
    ),
    ("Which round.", "Quel tour."),
    ("The study's name.", "Le nom de l'étude."),
    (
        "How many steps of training are behind the update. Where the plan counts epochs it follows from the number of radiographs.",
        "Combien de pas d'entraînement sont derrière la mise à jour. Où le plan compte des époques, cela découle du nombre de radiographies.",
    ),
    (
        "How far off the network was at the end of training: one mean over the last tenth of the steps.",
        "De combien le réseau se trompait à la fin de l'entraînement : une moyenne sur le dernier dixième des pas.",
    ),
    (
        "The fingerprint of the model that this hospital's radiographs alone make. The model itself stays here.",
        "L'empreinte du modèle que font les seules radiographies de cet hôpital. Le modèle lui-même reste ici.",
    ),
    (
        "Nothing stands here: measurements stay in the hospital.",
        "Il n'y a rien ici : les mesures restent à l'hôpital.",
    ),
    (
        "Nothing stands here: every count was too small to be shown.",
        "Il n'y a rien ici : tous les nombres étaient trop petits pour être montrés.",
    ),
    (
        "All errors added up, in the label's unit (age: years), over the validation radiographs.",
        "La somme des erreurs, dans l'unité de l'étiquette (âge : années), sur les radiographies de validation.",
    ),
    (
        "The squares of all errors added up: how sure the mean error is.",
        "La somme des carrés des erreurs : combien l'erreur moyenne est sûre.",
    ),
    (
        "Nothing stands here: every class was too small to be shown.",
        "Il n'y a rien ici : toutes les classes étaient trop petites pour être montrées.",
    ),
    (
        "The name of a class, as the plan lists it. That it stands here says that radiographs of it are not too few.",
        "Le nom d'une classe, tel que le plan le donne. Sa présence dit que ses radiographies ne sont pas trop peu nombreuses.",
    ),
    (
        "Of these, how many the network recognised.",
        "Parmi elles, combien le réseau en a reconnu.",
    ),
    (
        "How many validation radiographs are of this class. Classes below the policy's smallest cell are left out.",
        "Combien de radiographies de validation sont de cette classe. Les classes au-dessous du plus petit nombre permis par la politique sont omises.",
    ),
    (
        "How far off the network's probabilities were for this class's radiographs: their squared errors, added up.",
        "De combien les probabilités du réseau se trompaient pour les radiographies de cette classe : la somme des carrés de leurs erreurs.",
    ),
    (
        "How much the number of recognised radiographs would vary with other patients like these.",
        "De combien le nombre de radiographies reconnues varierait avec d'autres patients semblables.",
    ),
    (
        "How many validation patients are behind this class's radiographs. Fewer than the policy's smallest cell are not told.",
        "De combien de patients de validation viennent les radiographies de cette classe. Un nombre au-dessous du plus petit que permet la politique n'est pas dit.",
    ),
    (
        "How often the network ranked a radiograph of this class above one of another class (area under the ROC curve), times the weight. No score leaves.",
        "Combien souvent le réseau a placé une radiographie de cette classe avant une d'une autre classe (aire sous la courbe ROC), multiplié par le poids. Aucun score ne sort.",
    ),
    (
        "How many validation patients are behind the radiographs of other classes.",
        "De combien de patients de validation viennent les radiographies des autres classes.",
    ),
    (
        "How much that area would vary with other patients like these.",
        "De combien cette aire varierait avec d'autres patients semblables.",
    ),
    (
        "How much the area of this class and that of another one would vary together with other patients like these, times both weights: how sure \
         the mean over classes is.",
        "De combien l'aire de cette classe et celle d'une autre varieraient ensemble avec d'autres patients semblables, multiplié par les deux poids : \
         ce qui dit la précision de la moyenne sur les classes.",
    ),
    (
        "What the hospital weighs in the mean of all hospitals' areas, which follows from its numbers of patients.",
        "Ce que l'hôpital pèse dans la moyenne des aires de tous les hôpitaux, qui découle de ses nombres de patients.",
    ),
    (
        "For which class this class's radiographs were taken: a count for each class of the plan.",
        "Pour quelle classe les radiographies de cette classe ont été prises : un compte pour chaque classe du plan.",
    ),
    (
        "The same sum if one constant, the median of the training part, were answered each time.",
        "La même somme si une constante, la médiane de la part d'entraînement, était répondue à chaque fois.",
    ),
    (
        "How many validation radiographs have this label.",
        "Combien de radiographies de validation ont cette étiquette.",
    ),
    (
        "Whether it tells classes or a number.",
        "S'il distingue des classes ou donne un nombre.",
    ),
    ("What the network learns to tell.", "Ce que le réseau apprend à dire."),
    (
        "The training errors added up over the validation radiographs.",
        "La somme des erreurs d'entraînement sur les radiographies de validation.",
    ),
    (
        "How many radiographs of validation patients were looked at.",
        "Combien de radiographies de patients de validation ont été regardées.",
    ),
    (
        "The fingerprint of the shared model that was measured.",
        "L'empreinte du modèle partagé qui a été mesuré.",
    ),
    (
        "A class that masks mark, as the plan names it.",
        "Une classe que les masques désignent, telle que le plan la nomme.",
    ),
    (
        "The same sum if one and the same mask were drawn for everybody.",
        "La même somme si un seul et même masque était dessiné pour tous.",
    ),
    (
        "The sum of the squares of the patients' overlaps, which says how sure their mean is.",
        "La somme des carrés des recouvrements des patients, qui dit combien leur moyenne est sûre.",
    ),
    (
        "How well the drawn masks cover the hospital's: the overlap (Dice), added up over the validation patients.",
        "Combien les masques dessinés recouvrent ceux de l'hôpital : le recouvrement (Dice), additionné sur les patients de validation.",
    ),
    (
        "How many validation patients have a mask.",
        "Combien de patients de validation ont un masque.",
    ),
    (
        "The same sum if each radiograph's mean brightness were drawn everywhere.",
        "La même somme si la luminosité moyenne de chaque radiographie était dessinée partout.",
    ),
    (
        "How many validation radiographs were drawn again.",
        "Combien de radiographies de validation ont été redessinées.",
    ),
    (
        "How far off the drawings were: each radiograph's mean squared error, added up over the validation radiographs.",
        "L'écart des dessins : l'erreur quadratique moyenne de chaque radiographie, additionnée sur les radiographies de validation.",
    ),
    (
        "How many of these pairs chance alone would find.",
        "Combien de ces paires le hasard seul trouverait.",
    ),
    (
        "For how many of them the network found the radiograph likest that is of the same patient.",
        "Pour combien d'entre elles le réseau a trouvé la plus ressemblante celle du même patient.",
    ),
    (
        "For how many validation radiographs another of the same patient was looked for among those of others.",
        "Pour combien de radiographies de validation une autre du même patient a été cherchée parmi celles d'autres patients.",
    ),
    (
        "How hard the pairs were to find: the errors added up over the validation radiographs.",
        "La difficulté de trouver les paires : les erreurs additionnées sur les radiographies de validation.",
    ),
    // Roles of tensors, and what of a network may stay.
    ("weights", "poids"),
    (
        "scale or shift of a normalisation",
        "échelle ou décalage d'une normalisation",
    ),
    (
        "running statistic of a normalisation",
        "statistique courante d'une normalisation",
    ),
    ("count of steps", "compte de pas"),
    ("stays at the site", "reste au site"),
    // Requests without a body.
    (
        "every few seconds while the service runs",
        "toutes les quelques secondes pendant que le service tourne",
    ),
    ("Which studies there are.", "Quelles études il y a."),
    (
        "every ten seconds while the service runs",
        "toutes les dix secondes pendant que le service tourne",
    ),
    (
        "Which certificate authorities the consortium trusts.",
        "À quelles autorités de certification le consortium se fie.",
    ),
    ("The study's plan.", "Le plan de l'étude."),
    (
        "again and again while the study runs",
        "encore et encore tant que l'étude dure",
    ),
    ("What to do next.", "Que faire ensuite."),
    (
        "once in each round, and once at the end",
        "une fois à chaque tour, et une fois à la fin",
    ),
    (
        "The shared model. After a broken line it goes on where it stood (range).",
        "Le modèle partagé. Après une coupure, cela reprend où l'on en était (range).",
    ),
    ("once after each round", "une fois après chaque tour"),
    (
        "Which model the round made, signed by the aggregator.",
        "Quel modèle le tour a fait, signé par l'agrégateur.",
    ),
    (
        "after the end of the study, once for each update whose receipt was never heard",
        "après la fin de l'étude, une fois pour chaque mise à jour dont le reçu n'est jamais parvenu",
    ),
    (
        "The receipt that the aggregator signed of this site's update.",
        "Le reçu que l'agrégateur a signé de la mise à jour de ce site.",
    ),
];
