//! Good archives with bytes changed, cut out and doubled at random: none panics, none gets out.

use super::layouts::{docker_with, layers, oci};
use super::*;

/// Archives of each kind; the sequence is the same in every run.
const ROUNDS: u64 = 120;

/// xorshift64*: enough to choose bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        usize::try_from(value).unwrap() % end.max(1)
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            // What names and links are made of.
            3 => {
                let word = [&b"../"[..], b"/", b".wh.", b"\0", b"\xff\xff"][random.below(5)];
                let end = (at + word.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&word[..end - at]);
            }
            4 => {
                let block = at / 512 * 512;
                let end = (block + 512).min(bytes.len());
                let copy = bytes[block..end].to_vec();
                let to = random.below(bytes.len() / 512 + 1) * 512;
                bytes.splice(to.min(bytes.len())..to.min(bytes.len()), copy);
            }
            _ => {
                let end = (at + random.below(600)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

/// Mends the check sums of headers, so that what is behind them is looked at too.
fn mend(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        }
    }
}

#[test]
fn none_panics_and_none_gets_out() {
    let tar = layers()[0].clone();
    let good = [tar.clone(), gzip(&tar), zstd(&tar), oci().tar(), docker_with(|_, _| {}).tar()];
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut refused, mut unpacked) = (0, 0);
    for round in 0..ROUNDS {
        for bytes in &good {
            let mut bytes = bytes.clone();
            mutate(&mut bytes, &mut random);
            if round % 2 == 0 {
                mend(&mut bytes);
            }
            // The place looks whether anything happened outside.
            match Place::new().archive(&bytes) {
                Ok(_) => unpacked += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 150 && unpacked > 15, "{refused} refused, {unpacked} unpacked: too tame");
}
