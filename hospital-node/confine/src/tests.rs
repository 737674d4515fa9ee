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
