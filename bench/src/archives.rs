//! The ZIPs of the loads: of a wanted size, and no two alike.

use std::io::{Cursor, Write as _};

use mutirao_rig::dice::Dice;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What a ZIP of two files has besides their bytes.
const AROUND: usize = 240;
/// The script of a task that nobody runs.
const SCRIPT: &[u8] = b"print('ola')\n";

/// A task of about this many bytes.
pub fn task(bytes: usize, seed: u64) -> anyhow::Result<Vec<u8>> {
    pack(&[
        ("main.py", SCRIPT),
        (
            "input.csv",
            &Dice::of(seed).noise(bytes.saturating_sub(AROUND)),
        ),
    ])
}

/// A result of about this many bytes.
pub fn result(bytes: usize, seed: u64) -> anyhow::Result<Vec<u8>> {
    pack(&[
        (
            "stdout.txt",
            &Dice::of(seed).noise(bytes.saturating_sub(AROUND)),
        ),
        ("stderr.txt", b""),
    ])
}

/// A ZIP of these files, stored: noise cannot be deflated.
pub fn pack(files: &[(&str, &[u8])]) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        archive.start_file(*name, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_has_about_the_wanted_size_and_its_own_bytes() {
        let zip = result(1000, 1).unwrap();
        assert!((950..=1050).contains(&zip.len()), "{}", zip.len());
        assert_ne!(zip, result(1000, 2).unwrap());
    }
}
