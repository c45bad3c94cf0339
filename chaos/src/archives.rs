//! Task ZIPs and result ZIPs: made of a few files, the same files giving the same bytes, and read back.

use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Longest file that is read out of a result: no script of the harness prints more.
const PRINTED_MAX: u64 = 1 << 20;

/// A ZIP of these files.
pub fn pack(files: &[(&str, &[u8])]) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    for (name, bytes) in files {
        archive.start_file(*name, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Puts a file into the folder, which is made when missing; nobody sees half of it, and it outlasts a power cut.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let put = || {
        fs::create_dir_all(folder)?;
        let growing = folder.join(format!(".{name}.growing"));
        let mut file = File::create(&growing)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(growing, folder.join(name))?;
        File::open(folder)?.sync_all()
    };
    put().with_context(|| format!("failed to put {name} into {}", folder.display()))
}

/// What a result's script printed; none when that cannot be read.
pub fn printed(archive: &[u8]) -> Option<String> {
    text_in(archive, "stdout.txt")
}

/// The text in a file of a result; none when that cannot be read.
pub fn text_in(archive: &[u8], name: &str) -> Option<String> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).ok()?;
    let mut text = String::new();
    let entry = archive.by_name(name).ok()?;
    entry.take(PRINTED_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of the ZIPs in a folder, sorted; none when there is no such folder.
pub fn zips_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names
        .filter(|name| name.ends_with(".zip") && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}
