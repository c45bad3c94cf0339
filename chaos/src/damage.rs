//! What a disk does to a file: it is cut, a block of it becomes zeros, a bit flips, or garbage grows behind it.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use mutirao_rig::dice::Dice;

/// What a disk loses at once.
const BLOCK: u64 = 4096;

/// What was done to a file.
#[derive(Debug)]
pub struct Damage {
    /// In words for a reader.
    pub words: String,
    /// The bytes that are gone or others, or may be.
    pub bytes: Range<u64>,
}

/// Damages a file in which something is.
pub fn damage(path: &Path, dice: &mut Dice) -> anyhow::Result<Damage> {
    let file = File::options().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let name = path.file_name().unwrap_or_default().display();
    Ok(match dice.below(4) {
        0 => {
            let end = dice.below(size);
            file.set_len(end)?;
            Damage {
                words: format!("{name} cut from {size} to {end} bytes"),
                bytes: end..size,
            }
        }
        1 => {
            let block = dice.below(size.div_ceil(BLOCK)) * BLOCK;
            let end = size.min(block + BLOCK);
            file.write_all_at(&vec![0; usize::try_from(end - block)?], block)?;
            Damage {
                words: format!("{name} of {size} bytes zeroed from {block} on"),
                bytes: block..end,
            }
        }
        2 => {
            let at = dice.below(size);
            let mut byte = [0];
            file.read_exact_at(&mut byte, at)?;
            file.write_all_at(&byte.map(|byte| byte ^ (1 << dice.below(8))), at)?;
            Damage {
                words: format!("{name} of {size} bytes with a bit flipped at {at}"),
                bytes: at..at + 1,
            }
        }
        _ => {
            let garbage = 1 + usize::try_from(dice.below(3 * BLOCK))?;
            file.write_all_at(&dice.noise(garbage), size)?;
            Damage {
                words: format!("{name} of {size} bytes with {garbage} bytes of garbage behind"),
                bytes: size..size,
            }
        }
    })
}
