//! Writes a consortium of phantoms and contact sheets to a folder: `phantoms FOLDER [IMAGES] [LONGEST_SIDE]`.

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Instant};

use snowball_phantoms::{Consortium, sheet, write};
use snowball_protocol::labels::{BodyPart, View};

const AGES: [f32; 8] = [1.5, 4.0, 8.0, 13.0, 17.0, 35.0, 60.0, 85.0];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(root) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: phantoms FOLDER [IMAGES] [LONGEST_SIDE]");
        return ExitCode::FAILURE;
    };
    let mut consortium = Consortium::default();
    if let Some(images) = arguments.next().and_then(|text| text.parse().ok()) {
        consortium.images_per_hospital = images;
    }
    if let Some(side) = arguments.next().and_then(|text| text.parse().ok()) {
        consortium.longest_side = side;
    }
    let start = Instant::now();
    let hospitals = match write(&consortium, &root, &|_, _| {}) {
        Ok(hospitals) => hospitals,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let files: u64 = hospitals.iter().map(|hospital| hospital.files).sum();
    let mut text = format!("{files} files in {:.1} s\n", start.elapsed().as_secs_f32());
    for hospital in &hospitals {
        let (name, accepted) = (&hospital.name, hospital.expected.accepted);
        text += &format!("{name}: {} files, {accepted} to accept\n", hospital.files);
    }
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        // Nobody reads on: as a shell tells of a program that SIGPIPE ended.
        return ExitCode::from(141);
    }
    for part in BodyPart::ALL {
        for view in View::ALL {
            let Some(picture) = sheet(*part, *view, &AGES, 2, 256) else {
                continue;
            };
            let path = root.join(format!("{}-{}.png", part.code(), view.code()));
            if let Err(error) = picture.save(&path) {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
