//! File systems of a trial's own: small ones, ones that turn read-only, and ones whose power can be cut.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};

/// Asks file systems to shut down at the next line on its input: `EXT4_IOC_SHUTDOWN` is `_IOR('X', 125, __u32)`, and
/// 2 is `EXT4_GOING_FLAGS_NOLOGFLUSH`: what is in memory only is gone, the journal's included (fs/ext4/ext4.h).
const CUT: &str = "
import fcntl, os, struct, sys
disks = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
print('ready', flush=True)
sys.stdin.readline()
for disk in disks:
    fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))
print('cut', flush=True)
";
/// Nothing but an fsync writes the journal: on its own it would do so after this many seconds.
const EXT4: &str = "loop,commit=300";

/// A mounted file system, unmounted when dropped.
pub struct Disk {
    place: PathBuf,
    image: Option<PathBuf>,
}

impl Disk {
    /// A file system in memory, with options such as `size=2m`.
    pub fn in_memory(place: &Path, options: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(place)?;
        let mount = ["-t", "tmpfs", "-o", options, "tmpfs"];
        run(Command::new("mount").args(mount).arg(place))?;
        Ok(Self {
            place: place.into(),
            image: None,
        })
    }

    /// An ext4 in a file of so many MiB.
    pub fn in_file(image: &Path, mib: u64, place: &Path) -> anyhow::Result<Self> {
        File::create(image)?.set_len(mib << 20)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))?;
        let disk = Self {
            place: place.into(),
            image: Some(image.into()),
        };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> anyhow::Result<()> {
        let image = self
            .image
            .as_ref()
            .context("what is in memory only cannot be mounted again")?;
        fs::create_dir_all(&self.place)?;
        run(Command::new("mount")
            .args(["-o", EXT4])
            .arg(image)
            .arg(&self.place))
    }

    /// Changes its options: `size=64m`, `ro`.
    pub fn change(&self, options: &str) -> anyhow::Result<()> {
        run(Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.place))
    }

    /// Takes it away and gives it back, as a machine that was switched on again would.
    pub fn remount(disks: &[&Self]) -> anyhow::Result<()> {
        for disk in disks.iter().rev() {
            run(Command::new("umount").arg(&disk.place))?;
        }
        disks.iter().try_for_each(|disk| disk.mount())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it must not keep it in the tree; the cage's end frees the rest.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.place));
    }
}

/// Cuts the power of several disks at one instant.
pub struct Scissors {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Scissors {
    /// Ready to cut.
    pub fn at(disks: &[&Disk]) -> anyhow::Result<Self> {
        let mut command = Command::new("python3");
        command
            .args(["-c", CUT])
            .args(disks.iter().map(|disk| &disk.place));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let mut scissors = Self {
            child,
            input,
            output,
        };
        scissors.hear("ready")?;
        Ok(scissors)
    }

    /// Cuts; when this returns, nothing that was only in memory can reach the disks any more.
    pub fn cut(mut self) -> anyhow::Result<()> {
        self.input.write_all(b"now\n")?;
        self.hear("cut")
    }

    fn hear(&mut self, wanted: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(line.trim_end() == wanted, "the power could not be cut");
        Ok(())
    }
}

impl Drop for Scissors {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("failed to start {command:?}"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", why.trim());
    Ok(())
}
