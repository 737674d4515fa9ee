//! The words of what was measured: the same fields in the header of an update and in the final evaluation.

use super::{About, Words, words};

pub const EVALUATION: &[Words] = &[
    words(
        "evaluation",
        About::Site,
        "Nothing stands here: measurements stay in the hospital.",
    ),
    words(
        "evaluation.heads",
        About::Patients,
        "Nothing stands here: every count was too small to be shown.",
    ),
    words(
        "evaluation.heads[].absolute_error_sum",
        About::Patients,
        "All errors added up, in the label's unit (age: years), over the validation radiographs.",
    ),
    words(
        "evaluation.heads[].absolute_error_square_sum",
        About::Patients,
        "The squares of all errors added up: how sure the mean error is.",
    ),
    words(
        "evaluation.heads[].classes",
        About::Patients,
        "Nothing stands here: every class was too small to be shown.",
    ),
    words(
        "evaluation.heads[].classes[].class",
        About::Patients,
        "The name of a class, as the plan lists it. That it stands here says that radiographs of it are not too few.",
    ),
    words(
        "evaluation.heads[].classes[].correct",
        About::Patients,
        "Of these, how many the network recognised.",
    ),
    words(
        "evaluation.heads[].classes[].images",
        About::Patients,
        "How many validation radiographs are of this class. Classes below the policy's smallest cell are left out.",
    ),
    words(
        "evaluation.heads[].classes[].detail.brier_sum",
        About::Patients,
        "How far off the network's probabilities were for this class's radiographs: their squared errors, added up.",
    ),
    words(
        "evaluation.heads[].classes[].detail.correct_variance",
        About::Patients,
        "How much the number of recognised radiographs would vary with other patients like these.",
    ),
    words(
        "evaluation.heads[].classes[].detail.covariance_sums[]",
        About::Patients,
        "How much the area of this class and that of another one would vary together with other patients like these, times both weights: how sure \
         the mean over classes is.",
    ),
    words(
        "evaluation.heads[].classes[].detail.patients",
        About::Patients,
        "How many validation patients are behind this class's radiographs. Fewer than the policy's smallest cell are not told.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.area_sum",
        About::Patients,
        "How often the network ranked a radiograph of this class above one of another class (area under the ROC curve), times the \
         weight. No score leaves.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.other_patients",
        About::Patients,
        "How many validation patients are behind the radiographs of other classes.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.variance_sum",
        About::Patients,
        "How much that area would vary with other patients like these.",
    ),
    words(
        "evaluation.heads[].classes[].detail.ranks.weight_sum",
        About::Patients,
        "What the hospital weighs in the mean of all hospitals' areas, which follows from its numbers of patients.",
    ),
    words(
        "evaluation.heads[].classes[].detail.said[]",
        About::Patients,
        "For which class this class's radiographs were taken: a count for each class of the plan.",
    ),
    words(
        "evaluation.heads[].constant_absolute_error_sum",
        About::Patients,
        "The same sum if one constant, the median of the training part, were answered each time.",
    ),
    words(
        "evaluation.heads[].images",
        About::Patients,
        "How many validation radiographs have this label.",
    ),
    words(
        "evaluation.heads[].kind",
        About::Study,
        "Whether it tells classes or a number.",
    ),
    words(
        "evaluation.heads[].label",
        About::Study,
        "What the network learns to tell.",
    ),
    words(
        "evaluation.heads[].loss_sum",
        About::Patients,
        "The training errors added up over the validation radiographs.",
    ),
    words(
        "evaluation.heads[].masks[].class",
        About::Study,
        "A class that masks mark, as the plan names it.",
    ),
    words(
        "evaluation.heads[].masks[].constant_dice_sum",
        About::Patients,
        "The same sum if one and the same mask were drawn for everybody.",
    ),
    words(
        "evaluation.heads[].masks[].dice_square_sum",
        About::Patients,
        "The sum of the squares of the patients' overlaps, which says how sure their mean is.",
    ),
    words(
        "evaluation.heads[].masks[].dice_sum",
        About::Patients,
        "How well the drawn masks cover the hospital's: the overlap (Dice), added up over the validation patients.",
    ),
    words(
        "evaluation.heads[].patients",
        About::Patients,
        "How many validation patients have a mask.",
    ),
    words(
        "evaluation.images",
        About::Patients,
        "How many radiographs of validation patients were looked at.",
    ),
    words(
        "evaluation.model_digest",
        About::Study,
        "The fingerprint of the shared model that was measured.",
    ),
    words(
        "evaluation.contrast.chance_sum",
        About::Patients,
        "How many of these pairs chance alone would find.",
    ),
    words(
        "evaluation.contrast.found",
        About::Patients,
        "For how many of them the network found the radiograph likest that is of the same patient.",
    ),
    words(
        "evaluation.contrast.images",
        About::Patients,
        "For how many validation radiographs another of the same patient was looked for among those of others.",
    ),
    words(
        "evaluation.contrast.loss_sum",
        About::Patients,
        "How hard the pairs were to find: the errors added up over the validation radiographs.",
    ),
    words(
        "evaluation.reconstruction.constant_squared_error_sum",
        About::Patients,
        "The same sum if each radiograph's mean brightness were drawn everywhere.",
    ),
    words(
        "evaluation.reconstruction.images",
        About::Patients,
        "How many validation radiographs were drawn again.",
    ),
    words(
        "evaluation.reconstruction.squared_error_sum",
        About::Patients,
        "How far off the drawings were: each radiograph's mean squared error, added up over the validation radiographs.",
    ),
];
