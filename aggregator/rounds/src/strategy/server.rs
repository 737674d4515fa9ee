//! How the server moves the model by the combined update: FedAvgM (Hsu et al. 2019), FedAdagrad, FedAdam and FedYogi (Reddi et al.
//! 2021, algorithm 2). Each coordinate by itself, so that any block of them may be done at a time.

use snowball_protocol::plan::{Adaptive, ServerOptimiser};

/// What a state vector holds before the first round.
#[must_use]
pub fn initial_state(rule: &ServerOptimiser) -> Vec<f32> {
    match rule {
        ServerOptimiser::Add => Vec::new(),
        ServerOptimiser::Momentum { .. } => vec![0.0],
        // The paper asks for v of at least the square of the adaptivity.
        ServerOptimiser::Adagrad(numbers) | ServerOptimiser::Adam(numbers) | ServerOptimiser::Yogi(numbers) => {
            vec![0.0, numbers.adaptivity.powi(2) as f32]
        }
    }
}

/// Moves `model` by `update`; `state` holds the same stretch of each of the rule's vectors.
pub(super) fn step(rule: &ServerOptimiser, update: &[f64], model: &mut [f32], state: &mut [Vec<f32>]) {
    match (rule, state) {
        (
            ServerOptimiser::Momentum {
                learning_rate,
                momentum,
            },
            [velocity],
        ) => {
            for ((parameter, change), velocity) in model.iter_mut().zip(update).zip(velocity) {
                *velocity = (momentum * f64::from(*velocity) + change) as f32;
                *parameter = (f64::from(*parameter) + learning_rate * f64::from(*velocity)) as f32;
            }
        }
        (ServerOptimiser::Adagrad(numbers), [first, second]) => {
            adapt(numbers, update, model, first, second, |second, square| second + square);
        }
        (ServerOptimiser::Adam(numbers), [first, second]) => {
            adapt(numbers, update, model, first, second, |second, square| {
                numbers.beta_2 * second + (1.0 - numbers.beta_2) * square
            });
        }
        (ServerOptimiser::Yogi(numbers), [first, second]) => {
            adapt(numbers, update, model, first, second, |second, square| {
                let side = match second.total_cmp(&square) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Less => -1.0,
                    std::cmp::Ordering::Equal => 0.0,
                };
                second - (1.0 - numbers.beta_2) * square * side
            });
        }
        _ => {
            for (parameter, change) in model.iter_mut().zip(update) {
                *parameter = (f64::from(*parameter) + change) as f32;
            }
        }
    }
}

fn adapt(
    numbers: &Adaptive,
    update: &[f64],
    model: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
    next_second: impl Fn(f64, f64) -> f64,
) {
    for (((parameter, change), first), second) in model.iter_mut().zip(update).zip(first).zip(second) {
        *first = (numbers.beta_1 * f64::from(*first) + (1.0 - numbers.beta_1) * change) as f32;
        *second = next_second(f64::from(*second), change * change) as f32;
        let moved = numbers.learning_rate * f64::from(*first) / (f64::from(*second).sqrt() + numbers.adaptivity);
        *parameter = (f64::from(*parameter) + moved) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: Adaptive = Adaptive {
        learning_rate: 0.1,
        beta_1: 0.9,
        beta_2: 0.99,
        adaptivity: 0.01,
    };

    fn after(rule: &ServerOptimiser, updates: &[f64]) -> f32 {
        let (mut model, mut state) = (
            [1.0_f32],
            initial_state(rule)
                .into_iter()
                .map(|start| vec![start])
                .collect::<Vec<_>>(),
        );
        assert_eq!(state.len(), rule.state_vectors());
        for update in updates {
            step(rule, &[*update], &mut model, &mut state);
        }
        model[0]
    }

    #[test]
    fn momentum_gathers_speed_and_none_is_plain_addition() {
        assert_eq!(after(&ServerOptimiser::Add, &[0.5, 0.25]), 1.75);
        let plain = ServerOptimiser::Momentum {
            learning_rate: 1.0,
            momentum: 0.0,
        };
        assert_eq!(after(&plain, &[0.5, 0.25]), 1.75);
        let gathering = ServerOptimiser::Momentum {
            learning_rate: 1.0,
            momentum: 0.5,
        };
        // 1 + 1 + (0.5 + 1) + (0.75 + 1)
        assert_eq!(after(&gathering, &[1.0, 1.0, 1.0]), 5.25);
    }

    /// By hand, in binary64.
    #[test]
    fn the_adaptive_rules_are_those_of_the_paper() {
        let updates = [0.5, -0.2, 0.0, 1.0];
        type Rule = (ServerOptimiser, fn(f64, f64) -> f64);
        let rules: [Rule; 3] = [
            (ServerOptimiser::Adagrad(NUMBERS), |v, d| v + d * d),
            (ServerOptimiser::Adam(NUMBERS), |v, d| 0.99 * v + 0.01 * d * d),
            (ServerOptimiser::Yogi(NUMBERS), |v, d| {
                v - 0.01 * d * d * (v - d * d).signum()
            }),
        ];
        for (rule, second) in rules {
            let (mut m, mut v, mut x) = (0.0, 0.01_f64.powi(2), 1.0);
            for d in updates {
                m = 0.9 * m + 0.1 * d;
                v = second(v, d);
                x += 0.1 * m / (v.sqrt() + 0.01);
            }
            let found = f64::from(after(&rule, &updates));
            assert!((found - x).abs() < 1e-5, "{rule:?}: {found} {x}");
        }
    }

    /// What they exist for: a coordinate that hardly ever moves takes larger steps than one that always does.
    #[test]
    fn a_rare_coordinate_takes_larger_steps_for_the_same_update() {
        for rule in [
            ServerOptimiser::Adagrad(NUMBERS),
            ServerOptimiser::Adam(NUMBERS),
            ServerOptimiser::Yogi(NUMBERS),
        ] {
            let often = after(&rule, &[1.0, -1.0, 1.0, -1.0, 0.1]) - after(&rule, &[1.0, -1.0, 1.0, -1.0, 0.0]);
            let rare = after(&rule, &[0.0, 0.0, 0.0, 0.0, 0.1]) - after(&rule, &[0.0, 0.0, 0.0, 0.0, 0.0]);
            assert!(rare > 2.0 * often, "{rule:?}: {rare} {often}");
        }
    }
}
