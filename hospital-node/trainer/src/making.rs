//! What is done to pictures after they were varied, and what their heads should say then: labels that the trainer makes, and pictures
//! that are mixed.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::{StudyPlan, plan::HeadKind};

use crate::{
    examples::Target,
    loss::Wanted,
    passes::{Passes, SLICE},
    recipe::{made, mixup},
};

/// Does to one picture what `targets` say of the labels that the trainer makes.
pub fn show(
    plan: &StudyPlan,
    targets: &[Option<Target>],
    side: usize,
    mut random: Option<&mut ChaCha8Rng>,
    input: &mut [f32],
) {
    for (head, target) in plan.heads.iter().zip(targets) {
        if let (HeadKind::Classes(classes), Some(Target::Class(class)), true) =
            (&head.kind, target, head.label.is_made())
        {
            made::make(head.label, &classes[*class], side, random.as_deref_mut(), input);
        }
    }
}

/// Makes the labels of a slice's varied `pictures` and mixes them as the plan says; `drawn` pictures of the job came before them. Gives
/// for each head what it should say of each picture.
pub fn wanted(passes: &Passes<'_>, slice: &[usize], drawn: u64, pictures: &mut [f32]) -> Vec<Vec<Wanted>> {
    let (plan, side) = (passes.plan, passes.examples.side());
    let mut shares = Vec::with_capacity(slice.len());
    let mut targets = Vec::with_capacity(slice.len());
    for (place, (position, input)) in slice.iter().zip(pictures.chunks_mut(side * side)).enumerate() {
        let mut random = passes.seed.making(drawn + place as u64);
        let mut own = passes.examples.targets(*position).to_vec();
        for (target, head) in own.iter_mut().zip(&plan.heads).filter(|(_, head)| head.label.is_made()) {
            *target = Some(Target::Class(random.random_range(0..head.outputs())));
        }
        show(plan, &own, side, Some(&mut random), input);
        targets.push(own);
        shares.extend(
            plan.augmentation
                .mixup_alpha()
                .map(|alpha| mixup::share(alpha, &mut random)),
        );
    }
    // Groups are the slices of the CPU, so that a GPU mixes the same pictures.
    for (group, shares) in pictures.chunks_mut(SLICE * side * side).zip(shares.chunks(SLICE)) {
        mixup::mix(group, side * side, shares);
    }
    let of = |head: usize| {
        let wanted = |place: usize| Wanted {
            own: targets[place][head],
            other: shares
                .get(place)
                .zip(partner(place, slice.len()))
                .and_then(|(share, other)| targets[other][head].map(|target| (target, *share))),
        };
        (0..slice.len()).map(wanted).collect()
    };
    (0..plan.heads.len()).map(of).collect()
}

/// The picture that shines through the one at `place`: the next of its group, of the last one the first.
fn partner(place: usize, count: usize) -> Option<usize> {
    let first = place - place % SLICE;
    let size = SLICE.min(count - first);
    (size > 1).then(|| first + (place - first + 1) % size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_stay_in_their_group_and_nobody_is_mixed_with_itself() {
        let partners: Vec<_> = (0..17).map(|place| partner(place, 17)).collect();
        assert_eq!(
            (partners[0], partners[7], partners[8], partners[15]),
            (Some(1), Some(0), Some(9), Some(8))
        );
        assert_eq!(partners[16], None, "the last alone");
        assert_eq!(partner(1, 3), Some(2));
        assert_eq!(partner(2, 3), Some(0));
    }
}
