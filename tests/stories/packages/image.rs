//! The images: built by buildah from the container files as they are shipped, run as their own user without any right, and a study between
//! them. The images that the files begin with are made of Debian's packages under the names that the files ask for, so no registry is
//! reached; nothing is compiled, since an image is made of the package.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use snowball_tests::{Consortium, PolicyWish, Programs, Running, free_port};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{
    begin_study,
    machine::{bare_archive, is_there, root_archive, said},
    made_packages, make, reviewed, until,
};
use crate::stage;

/// What the container files begin with, and what takes its place here.
const SHELL_BASE: &str = "docker.io/library/debian:bookworm-slim";
const BARE_BASE: &str = "gcr.io/distroless/cc-debian12:nonroot";
/// Debian's release in both, as a machine of it calls itself: what takes their place is made of this machine's own.
const RELEASE: &str = "VERSION_ID=\"12\"";
/// The user that the images run as.
const USER: u32 = 65_532;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_built_from_the_files_and_run_a_study_as_a_user_without_rights() {
    let buildah = match Buildah::begin() {
        Ok(buildah) => buildah,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let [packages, desk] = ["packages", "desk"].map(|name| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let hospital = stage::phantoms(folder.path(), 1, 70, 0.0).remove(0);
    let built = stage::programs().await;
    made_packages(&make(built.node.parent().unwrap(), &packages, "0.1.0"));
    let images = ["hospital-node", "aggregator"].map(|place| buildah.image(place, &packages));
    for image in &images {
        is_bare(&buildah, image);
    }
    let [node, aggregator] = &images;
    let binds = [
        (desk.as_path(), desk.as_path()),
        (&hospital.dicom, Path::new("/srv/radiographs")),
    ];
    let programs = Programs {
        aggregator: buildah.doorway(aggregator, &binds),
        node: buildah.doorway(node, &binds),
    };
    let site = (stage::site_name(&hospital), PathBuf::from("/srv/radiographs"));
    let consortium = Consortium::new(&desk, programs, vec![site]).unwrap();
    let site = consortium.sites[0].clone();
    open_to_all(&[
        &desk,
        &desk.join("boards"),
        &desk.join("boards").join(site.name.as_str()),
    ]);
    for home in [consortium.aggregator_home(), site.home.clone()] {
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        chown(&home, Some(USER), Some(USER)).unwrap();
    }

    let [port, aggregator_health, node_health] = [(); 3].map(|()| free_port().unwrap());
    consortium.found(port).await.unwrap();
    answer_at(&consortium.aggregator_home().join("aggregator.toml"), aggregator_health);
    let (hear, _heard) = mpsc::channel(256);
    let serving = consortium.serve(port, &hear).await.unwrap();
    assert_eq!(alive(aggregator_health).await, "alive\n");
    is_held(leaf(serving.id().unwrap()));

    consortium.make_node(&site, 1).await.unwrap();
    // Written by the test, read by the node: whose it is counts.
    chown(site.home.join("keys/site.secret"), Some(USER), Some(USER)).unwrap();
    answer_at(&site.home.join("node.toml"), node_health);
    let plan = stage::plan(1, 2);
    fs::write(consortium.plan_file(), toml::to_string(&plan).unwrap()).unwrap();
    consortium
        .install_policy(&site, &plan, &PolicyWish::default())
        .await
        .unwrap();
    consortium.enrol(&site, &hear).await.unwrap();
    let taken = consortium.ingest(&site).await.unwrap();
    assert!(taken["accepted"].as_u64().unwrap() >= 60, "{taken}");
    // What the image itself asks to know whether it is well.
    for (image, home) in [(aggregator, consortium.aggregator_home()), (node, site.home.clone())] {
        let well = buildah.run(image, &home, &image.health);
        assert!(well.status.success(), "{}: {}", image.name, said(&well));
    }

    begin_study(&consortium).await;
    let running = consortium.run_node(&site, "story", &hear).unwrap();
    until("the node's health", async || alive(node_health).await == "alive\n").await;
    is_held(leaf(running.id().unwrap()));
    reviewed(&consortium, || {
        fs::read_to_string(consortium.log(site.name.as_str())).unwrap_or_default()
    })
    .await;
    // The way in which a container is stopped; all that was acknowledged is kept.
    for service in [running, serving] {
        let process = i32::try_from(leaf(service.id().unwrap())).unwrap();
        kill(Pid::from_raw(process), Signal::SIGTERM).unwrap();
        ended(service).await;
    }
    consortium.node(&site, &["ledger", "verify"]).await.unwrap();
    consortium.aggregator(&["ledger", "verify"]).await.unwrap();
}

/// An image, as its own configuration tells of it.
struct Image {
    name: String,
    container: String,
    entry: Vec<String>,
    health: Vec<String>,
    home: String,
}

/// Buildah, with images and containers of its own. They go when this is dropped.
struct Buildah {
    folder: TempDir,
    driver: &'static str,
}

impl Buildah {
    /// Begins with the two images that the container files ask for; or says why not.
    fn begin() -> Result<Self, String> {
        if !is_there("buildah") {
            return Err("buildah is not installed".to_owned());
        }
        let about = fs::read_to_string("/etc/os-release").unwrap_or_default();
        if !about.lines().any(|line| line == RELEASE) {
            return Err("the images begin with Debian 12, and this machine has packages of another release".to_owned());
        }
        let (shell, bare) = (root_archive()?, bare_archive()?);
        let folder = tempfile::tempdir().unwrap();
        let mut buildah = Self {
            folder,
            driver: "overlay",
        };
        // Where this is a container itself, its files may be an overlay already, and none goes on top of it.
        if !buildah.call(&["info"]).status.success() {
            buildah.driver = "vfs";
        }
        buildah.import(SHELL_BASE, &shell)?;
        buildah.runs(SHELL_BASE)?;
        buildah.import(BARE_BASE, &bare).unwrap();
        Ok(buildah)
    }

    /// Tries once what needs rights to mount and to change the root, which a machine may keep from root, too.
    fn runs(&self, image: &str) -> Result<(), String> {
        let container = self.tried(&["from", "--pull-never", image])?;
        self.tried(&["mount", &container])?;
        self.tried(&["umount", &container])?;
        let isolation = ["run", "--isolation", "chroot", "--cap-drop", "ALL"];
        self.tried(&[isolation.as_slice(), &[&container, "--", "/bin/true"]].concat())?;
        self.tried(&["rm", &container])?;
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        [
            "--root",
            &at("storage"),
            "--runroot",
            &at("run"),
            "--storage-driver",
            self.driver,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn call(&self, words: &[&str]) -> Output {
        Command::new("buildah").args(self.words()).args(words).output().unwrap()
    }

    /// What a command says, or why it fails.
    fn tried(&self, words: &[&str]) -> Result<String, String> {
        let output = self.call(words);
        if output.status.success() {
            return Ok(said(&output).trim().to_owned());
        }
        let faults = String::from_utf8_lossy(&output.stderr);
        Err(format!("buildah {words:?}: {}", faults.trim()))
    }

    /// What a command that must succeed says.
    fn did(&self, words: &[&str]) -> String {
        self.tried(words).unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// An image of an archive's files.
    fn import(&self, name: &str, archive: &Path) -> Result<(), String> {
        let container = self.tried(&["from", "scratch"])?;
        self.tried(&["add", "--quiet", &container, archive.to_str().unwrap(), "/"])?;
        self.tried(&["commit", "--quiet", "--rm", &container, name])?;
        Ok(())
    }

    /// The image of a program's container file.
    fn image(&self, place: &str, packages: &Path) -> Image {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{place}/deploy/Containerfile"));
        let name = format!("localhost/{place}");
        let format = ["build", "--isolation", "chroot", "--pull-never", "--format", "docker"];
        let rest = [
            "--tag",
            &name,
            "--file",
            file.to_str().unwrap(),
            packages.to_str().unwrap(),
        ];
        self.did(&[format.as_slice(), &rest].concat());
        let about: Value = serde_json::from_str(&self.did(&["inspect", "--type", "image", &name])).unwrap();
        let config = &about["Docker"]["config"];
        assert_eq!(config["User"], format!("{USER}:{USER}"));
        let list = |list: &Value| -> Vec<String> { serde_json::from_value(list.clone()).unwrap() };
        let home = config["Volumes"].as_object().unwrap().keys().next().unwrap().clone();
        let container = self.did(&["from", &name]);
        // Where the image's own volume and the test's lie at one place, buildah mounts now this one last and now that.
        self.did(&["config", "--volume", &format!("{home}-"), &container]);
        Image {
            container,
            entry: list(&config["Entrypoint"]),
            health: list(&config["Healthcheck"]["Test"])[1..].to_vec(),
            home,
            name,
        }
    }

    /// The words by which a command is run in an image: as its user, with no right of root's left.
    fn entrance(&self, image: &Image, home: &str, binds: &[(&Path, &Path)]) -> Vec<String> {
        let mut words = self.words();
        words.extend(["run", "--isolation", "chroot", "--cap-drop", "ALL"].map(str::to_owned));
        words.push(format!("--volume={home}:{}", image.home));
        words.extend(
            binds
                .iter()
                .map(|(here, there)| format!("--volume={}:{}", here.display(), there.display())),
        );
        words.extend([image.container.clone(), "--".to_owned()]);
        words
    }

    fn run(&self, image: &Image, home: &Path, command: &[String]) -> Output {
        let mut buildah = Command::new("buildah");
        buildah
            .args(self.entrance(image, home.to_str().unwrap(), &[]))
            .args(command);
        buildah.output().unwrap()
    }

    /// A program here that is the image's, with the home that it is told as the image's volume.
    fn doorway(&self, image: &Image, binds: &[(&Path, &Path)]) -> PathBuf {
        let path = self.folder.path().join(format!("{}.sh", image.container));
        let entrance = self.entrance(image, "$home", binds).join("\" \"");
        let text = format!(
            "#!/bin/sh\nhome=$2; shift 2\nexec buildah \"{entrance}\" {} \"$@\"\n",
            image.entry.join(" ")
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        self.call(&["rm", "--all"]);
        // The driver may have its folder mounted upon itself, which would keep it from being deleted.
        let mounted = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let own = self.folder.path().display().to_string();
        let places = mounted.lines().filter_map(|line| line.split(' ').nth(1));
        for place in places.filter(|place| place.starts_with(&own)) {
            let _ = Command::new("umount").arg(place).output();
        }
    }
}

/// No shell, no package manager, nothing that gives rights, a home that is the user's; both programs and their words of licence are there.
fn is_bare(buildah: &Buildah, image: &Image) {
    let root = PathBuf::from(buildah.did(&["mount", &image.container]));
    for shell in ["bin/sh", "usr/bin/sh", "usr/bin/bash", "usr/bin/dpkg", "usr/bin/apt"] {
        assert!(!root.join(shell).exists(), "{}: /{shell}", image.name);
    }
    let home = fs::metadata(root.join(image.home.trim_start_matches('/'))).unwrap();
    assert_eq!((home.uid(), home.mode() & 0o777), (USER, 0o700), "{}", image.name);
    // Of the folders above it none became the user's.
    assert_eq!(fs::metadata(root.join("var/lib")).unwrap().uid(), 0, "{}", image.name);
    let package = Path::new(&image.home).file_name().unwrap();
    assert!(root.join("usr/share/doc").join(package).join("copyright").exists());
    let find = Command::new("find")
        .arg(&root)
        .args(["-xdev", "-type", "f", "-perm", "/6000"])
        .output();
    assert_eq!(said(&find.unwrap()), "", "{}", image.name);
    buildah.did(&["umount", &image.container]);
}

fn open_to_all(folders: &[&Path]) {
    for folder in folders {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
}

/// Has a program answer there whether it lives.
fn answer_at(configuration: &Path, port: u16) {
    let before = fs::read_to_string(configuration).unwrap();
    fs::write(
        configuration,
        format!("{before}\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n"),
    )
    .unwrap();
}

/// What is answered to whoever asks whether a program lives; nothing where nobody listens.
async fn alive(port: u16) -> String {
    let answer = crate::health::ask(port, "/healthz").await.unwrap_or_default();
    answer
        .rsplit_once("\r\n\r\n")
        .map_or(String::new(), |(_, body)| body.to_owned())
}

/// The program itself, behind the processes of buildah that hold it.
fn leaf(process: u32) -> u32 {
    let mut last = process;
    loop {
        let name = fs::read_to_string(format!("/proc/{last}/comm")).unwrap();
        if ["aggregator", "hospital-node"].contains(&name.trim()) {
            return last;
        }
        let tasks = fs::read_dir(format!("/proc/{last}/task")).unwrap();
        let children = tasks.flatten().find_map(|task| {
            let list = fs::read_to_string(task.path().join("children")).ok()?;
            list.split_whitespace().next()?.parse().ok()
        });
        last = children.unwrap_or_else(|| panic!("no program runs behind process {process}"));
    }
}

/// Waits for the end of a service, which must be a good one.
async fn ended(mut service: Running) {
    for _ in 0..100 {
        if service.has_ended() {
            return service.check().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a service does not end when it is asked to");
}

/// What the kernel says of a program.
fn is_held(process: u32) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    for line in [
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "Seccomp:\t2",
        &format!("Uid:\t{USER}\t"),
    ] {
        assert!(status.contains(line), "{line} is not in {status}");
    }
}
