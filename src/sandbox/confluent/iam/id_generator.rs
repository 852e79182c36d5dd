//! Reproducible ids, keys and secrets: a function of the seed and the number generated before.

use crate::sandbox::data::random::{Random, mix};

const DIGITS: &[u8] = b"0123456789";
const LOWERCASE: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[derive(Debug)]
pub(crate) struct IdGenerator {
    seed: u64,
    generated: u64,
}

impl IdGenerator {
    pub(crate) fn new(seed: u64) -> IdGenerator {
        IdGenerator { seed, generated: 0 }
    }

    /// Id such as `sa-9k2m4x`.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-{}", self.text(&[LOWERCASE, DIGITS], 6))
    }

    /// API key: 16 uppercase letters and digits.
    pub(crate) fn api_key(&mut self) -> String {
        self.text(&[UPPERCASE, DIGITS], 16)
    }

    /// API secret: 64 characters.
    pub(crate) fn api_secret(&mut self) -> String {
        self.text(&[UPPERCASE, LOWERCASE, DIGITS, b"+/"], 64)
    }

    /// UUID (version 4).
    pub(crate) fn uuid(&mut self) -> String {
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
        self.generated += 1;
        Random::new(self.seed ^ mix(self.generated))
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
    fn ids_are_well_formed_and_reproducible() {
        let (mut ids, mut same, mut other) = (
            IdGenerator::new(1),
            IdGenerator::new(1),
            IdGenerator::new(2),
        );
        let id = ids.id("sa");
        assert_eq!((id.len(), &id[..3]), (9, "sa-"));
        let (key, secret, uuid) = (ids.api_key(), ids.api_secret(), ids.uuid());
        let is_uppercase = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
        assert!(key.len() == 16 && key.chars().all(is_uppercase), "{key}");
        assert_eq!(secret.len(), 64);
        assert!(!secret.contains(':'));
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_ne!(ids.api_key(), key);
        assert_eq!(
            (same.id("sa"), same.api_key(), same.api_secret()),
            (id, key, secret)
        );
        assert_ne!(
            (other.id("sa"), other.api_key()),
            (same.id("sa"), same.api_key())
        );
    }
}
