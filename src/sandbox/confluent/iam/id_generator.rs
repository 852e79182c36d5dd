//! Ids, keys and secrets that follow from the seed and how many were made before.

use crate::sandbox::data::random::{Random, mix};

const DIGITS: &[u8] = b"0123456789";
const SMALL: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Makes them.
#[derive(Debug)]
pub struct Mint {
    seed: u64,
    made: u64,
}

impl Mint {
    /// The mint of a seed, which has made nothing yet.
    pub fn new(seed: u64) -> Mint {
        Mint { seed, made: 0 }
    }

    /// An id such as `sa-9k2m4x`.
    pub fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-{}", self.text(&[SMALL, DIGITS], 6))
    }

    /// The name of an API key: 16 capital letters and digits.
    pub fn key(&mut self) -> String {
        self.text(&[CAPITALS, DIGITS], 16)
    }

    /// The secret of an API key: 64 characters.
    pub fn secret(&mut self) -> String {
        self.text(&[CAPITALS, SMALL, DIGITS, b"+/"], 64)
    }

    /// A random UUID (version 4).
    pub fn uuid(&mut self) -> String {
        let mut random = self.random();
        let (high, low) = (random.next(), random.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    fn random(&mut self) -> Random {
        self.made += 1;
        Random::new(self.seed ^ mix(self.made))
    }

    fn text(&mut self, alphabets: &[&[u8]], length: usize) -> String {
        let alphabet = alphabets.concat();
        let mut random = self.random();
        let letters = (0..length).map(|_| random.below(alphabet.len() as u64) as usize);
        letters.map(|at| char::from(alphabet[at])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_form_and_is_made_again_by_the_same_seed() {
        let (mut mint, mut same, mut other) = (Mint::new(1), Mint::new(1), Mint::new(2));
        let id = mint.id("sa");
        assert_eq!((id.len(), &id[..3]), (9, "sa-"));
        let (key, secret, uuid) = (mint.key(), mint.secret(), mint.uuid());
        let capital = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
        assert!(key.len() == 16 && key.chars().all(capital), "{key}");
        assert_eq!(secret.len(), 64);
        assert!(!secret.contains(':'));
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_ne!(mint.key(), key);
        assert_eq!(
            (same.id("sa"), same.key(), same.secret()),
            (id, key, secret)
        );
        assert_ne!((other.id("sa"), other.key()), (same.id("sa"), same.key()));
    }
}
