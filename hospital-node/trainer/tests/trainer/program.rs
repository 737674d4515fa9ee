//! The program itself: held by the kernel while it works, and probed by people and programs.

use super::*;

/// What the kernel says of a running trainer, and not what it says of itself.
#[test]
fn while_it_trains_the_kernel_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("set");
    dataset(&data, &[BodyPart::Chest, BodyPart::Hand, BodyPart::Knee]);
    let plan = plan();
    let parameters = Layout::of(&plan).initial_parameters(plan.seed);
    let mut child = Command::new(env!("CARGO_BIN_EXE_snowball-trainer"))
        .arg("work")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    pipe::send(&mut input, &Job::Train(job(&plan, &data, 2_000))).unwrap();
    pipe::send_parameters(&mut input, &parameters).unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let first = pipe::receive::<Answer>(&mut output).unwrap();
    let Answer::Confined { confinement } = first else {
        panic!("the first answer is {first:?}")
    };
    let second = pipe::receive::<Answer>(&mut output).unwrap();
    assert!(matches!(second, Answer::Progress { .. }), "{second:?}");
    let says = |line: &str| {
        std::fs::read_dir(format!("/proc/{}/task", child.id()))
            .unwrap()
            .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap())
            .all(|status| {
                status
                    .lines()
                    .any(|found| found.split_whitespace().eq(line.split_whitespace()))
            })
    };
    if confinement.is_whole() {
        assert!(says("Seccomp: 2"), "a thread makes calls unfiltered");
    } else {
        println!("skipped in part: this kernel does not confine wholly: {confinement}");
    }
    assert!(says("NoNewPrivs: 1"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_probe_speaks_to_people_and_programs() {
    let probe = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_snowball-trainer"))
            .args(words)
            .output()
            .unwrap()
    };
    let text = String::from_utf8(probe(&["probe"]).stdout).unwrap();
    assert!(text.contains("CPU") && text.contains("sound"), "{text}");
    let devices: Vec<ProbedDevice> = serde_json::from_slice(&probe(&["probe", "--json"]).stdout).unwrap();
    assert!(devices[0].choice == DeviceChoice::Cpu && devices[0].sound);
    let outcome = run(&Job::Probe, None);
    assert!(outcome.status.success());
    assert!(matches!(outcome.answers.as_slice(), [Answer::Probed { devices, .. }] if devices[0].sound));
    assert!(!probe(&["dance"]).status.success());
    // More adapters than any machine has.
    assert!(!probe(&["probe", "--halves", "999"]).status.success());
}
