//! Each test confines a child: this test program itself, started again for one hidden test.

use std::{
    fs::{self, File},
    io::ErrorKind,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    process::{Command, Output},
};

use super::*;

const FOLDER: &str = "SNOWBALL_CONFINE_FOLDER";
/// The looser of the two forms: with sockets of this machine, or with other programs.
const LOOSER: &str = "SNOWBALL_CONFINE_LOOSER";

/// What the confined child tries. Asserts as it goes; prints what holds.
#[test]
#[ignore = "it confines its own process; the tests below start it in a child"]
fn confined_child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let local_sockets = std::env::var_os(LOOSER).is_some();
    let inside = folder.join("inside");
    let confinement = confine(&Reach {
        read: vec![inside.clone(), folder.join("absent")],
        write: vec![],
        run: vec![],
        local_sockets,
    });
    println!("confinement: {confinement}");
    if confinement.calls == Hold::Whole {
        assert_eq!(
            TcpStream::connect("127.0.0.1:9").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            TcpListener::bind("127.0.0.1:0").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(
            UdpSocket::bind("127.0.0.1:0").unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert_eq!(UnixStream::pair().is_ok(), local_sockets);
        assert_eq!(
            Command::new("/bin/true").status().unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
    }
    if confinement.files == Hold::Whole {
        assert_eq!(fs::read(inside.join("shard")).unwrap(), b"pixels");
        for refused in [
            folder.join("site.key"),
            "/etc/hostname".into(),
            "/proc/self/environ".into(),
        ] {
            assert_eq!(
                fs::read(&refused).unwrap_err().kind(),
                ErrorKind::PermissionDenied,
                "{refused:?}"
            );
        }
        for refused in [
            inside.join("new"),
            folder.join("new"),
            "/tmp/snowball-confine-new".into(),
        ] {
            assert_eq!(
                File::create(&refused).unwrap_err().kind(),
                ErrorKind::PermissionDenied,
                "{refused:?}"
            );
        }
        // A thread started later is bound as well.
        let key = folder.join("site.key");
        assert!(std::thread::spawn(move || fs::read(key).is_err()).join().unwrap());
    }
    println!("the child came to its end");
}

/// What a decoding child tries.
#[test]
#[ignore = "it confines its own process; a test below starts it in a child"]
fn decoding_child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let starts_programs = std::env::var_os(LOOSER).is_some();
    let hold = without_network(starts_programs);
    println!(
        "confinement: {}",
        if hold == Hold::Whole { "no network" } else { "none" }
    );
    if hold == Hold::Whole {
        let refused = |error: std::io::Error| error.kind() == ErrorKind::PermissionDenied;
        assert!(TcpStream::connect("127.0.0.1:9").is_err_and(refused));
        assert!(UdpSocket::bind("127.0.0.1:0").is_err_and(refused));
        let started = Command::new("/bin/true").status();
        if starts_programs {
            assert!(started.is_ok());
        } else {
            assert!(started.is_err_and(refused));
        }
        // A thread started later is bound as well.
        let late = std::thread::spawn(move || TcpListener::bind("127.0.0.1:0").is_err_and(refused));
        assert!(late.join().unwrap());
    }
    assert!(UnixStream::pair().is_ok());
    fs::write(folder.join("taken-in"), b"a radiograph").unwrap();
    println!("the child came to its end");
}

/// What a child tries that decodes and writes into one folder.
#[test]
#[ignore = "it confines its own process; a test below starts it in a child"]
fn decoder_child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    // A folder that is a link to one elsewhere: archives of a ledger on a larger disk.
    let (elsewhere, linked) = (folder.join("elsewhere"), folder.join("inside/linked"));
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &linked).unwrap();
    let reach = Reach {
        read: vec!["/etc".into()],
        write: vec![folder.join("inside"), linked.clone()],
        ..Reach::default()
    };
    let is_thread = std::env::var_os(LOOSER).is_some();
    let inside = folder.clone();
    let tries = move |holds: [Hold; 2]| {
        let is_whole = holds == [Hold::Whole, Hold::Whole];
        println!("confinement: {}", if is_whole { "no network" } else { "in part" });
        let refused = |error: std::io::Error| error.kind() == ErrorKind::PermissionDenied;
        if holds[0] == Hold::Whole {
            assert!(fs::read(inside.join("site.key")).is_err_and(refused), "a key is closed");
            assert!(fs::write(inside.join("policy.toml"), b"all").is_err_and(refused));
            assert!(File::create("/etc/snowball-new").is_err());
        }
        if holds[1] == Hold::Whole {
            assert!(UdpSocket::bind("127.0.0.1:0").is_err_and(refused));
            assert!(TcpStream::connect("127.0.0.1:9").is_err_and(refused));
            assert!(Command::new("/bin/true").status().is_err_and(refused));
        }
        assert!(fs::read_dir("/etc").is_ok(), "what is to be read stays");
        fs::write(inside.join("inside/radiograph"), b"taken in").unwrap();
        fs::write(linked.join("archive"), b"closed").unwrap();
    };
    if is_thread {
        let reach_of_thread = reach;
        let thread = std::thread::spawn(move || tries(confine_decoding_thread(&reach_of_thread, false)));
        thread.join().unwrap();
        // The rest of the process keeps what it had.
        assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
        assert_eq!(fs::read(folder.join("site.key")).unwrap(), b"secret");
    } else {
        tries(confine_decoder(&reach, false));
    }
    println!("the child came to its end");
}

/// What a child tries that listens and decodes nothing.
#[test]
#[ignore = "it confines its own process; a test below starts it in a child"]
fn listener_child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let [files, memory] = confine_listener(&Reach {
        write: vec![folder.join("inside")],
        ..Reach::default()
    });
    let is_whole = files == Hold::Whole && memory == Hold::Whole;
    println!("confinement: {}", if is_whole { "no network" } else { "in part" });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(
        TcpStream::connect(listener.local_addr().unwrap()).is_ok(),
        "the network stays"
    );
    if files == Hold::Whole {
        let refused = fs::read(folder.join("site.key")).unwrap_err().kind();
        assert_eq!(refused, ErrorKind::PermissionDenied);
    }
    fs::write(folder.join("inside/object"), b"as it came").unwrap();
    println!("the child came to its end");
}

fn child(local_sockets: bool) -> Output {
    started("tests::confined_child", local_sockets)
}

fn started(test: &str, looser: bool) -> Output {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inside")).unwrap();
    fs::write(folder.path().join("inside/shard"), b"pixels").unwrap();
    fs::write(folder.path().join("site.key"), b"secret").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path());
    if looser {
        command.env(LOOSER, "1");
    }
    command.output().unwrap()
}

fn came_to_its_end(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("the child came to its end"), "{said}");
    if !said.contains("confinement: no network") {
        println!("skipped in part: this kernel does not confine wholly: {said}");
    }
}

#[test]
fn a_confined_process_reaches_its_folder_and_nothing_else() {
    came_to_its_end(&child(false));
}

#[test]
fn a_decoding_process_keeps_its_files_and_has_no_network_and_no_other_program() {
    came_to_its_end(&started("tests::decoding_child", false));
}

#[test]
fn a_decoding_process_with_a_second_reader_starts_it_and_has_no_network() {
    came_to_its_end(&started("tests::decoding_child", true));
}

#[test]
fn a_decoding_process_reaches_no_key_and_writes_where_it_was_told_alone() {
    came_to_its_end(&started("tests::decoder_child", false));
}

#[test]
fn a_decoding_thread_is_held_and_the_rest_of_its_process_is_not() {
    came_to_its_end(&started("tests::decoder_child", true));
}

#[test]
fn a_listener_keeps_its_network_and_one_folder() {
    came_to_its_end(&started("tests::listener_child", false));
}

#[test]
fn sockets_of_this_machine_stay_where_a_driver_needs_them_and_the_network_does_not() {
    came_to_its_end(&child(true));
}

#[test]
fn what_does_not_hold_is_said_aloud() {
    let confinement = Confinement {
        files: Hold::Nothing("no Landlock".to_owned()),
        calls: Hold::Whole,
        memory: Hold::Partly("a limit".to_owned()),
    };
    assert!(!confinement.is_whole());
    assert_eq!(
        confinement.to_string(),
        "other files NOT closed (no Landlock); memory partly closed (a limit)"
    );
}

#[test]
fn a_program_that_a_confined_thread_starts_is_confined_and_the_rest_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("site.key");
    fs::write(&key, b"secret").unwrap();
    let path = key.clone();
    let (holds, said) = std::thread::spawn(move || {
        let system = ["/bin", "/lib", "/lib64", "/usr"].map(PathBuf::from).to_vec();
        let holds = confine_starter(&Reach {
            read: vec!["/etc/ld.so.cache".into()],
            write: vec!["/dev/null".into()],
            run: system,
            local_sockets: false,
        });
        let script = "cat \"$0\" && echo read; echo new > \"$0.new\" && echo written; echo ended";
        let output = Command::new("/bin/sh")
            .args(["-c", script])
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            !matches!(holds[1], Hold::Whole)
                || TcpStream::connect("127.0.0.1:9").is_err_and(|fault| fault.kind() == ErrorKind::PermissionDenied)
        );
        (holds, String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .join()
    .unwrap();
    assert!(said.ends_with("ended\n"), "{said}");
    if holds[0] == Hold::Whole {
        assert_eq!(said, "ended\n");
    } else {
        println!("skipped in part: this kernel has no Landlock");
    }
    // This thread reads and connects as before.
    assert_eq!(fs::read(&key).unwrap(), b"secret");
    assert_ne!(
        TcpStream::connect("127.0.0.1:9").unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
}
