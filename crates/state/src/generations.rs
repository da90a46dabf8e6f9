//! Values of which only so many are kept: those that were longest unused are forgotten.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values by key, in two generations. Whatever is used is young; when half of the room is taken by the young, the old
/// are forgotten and the young grow old. So to note a use costs nothing for as long as a value is young.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// Room for `most` values, of which the latest `most / 2` that were used are there for certain.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    /// The value of `key`, if it is young.
    pub(crate) fn young<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key)
    }

    /// The value of `key`, whatever its age.
    pub(crate) fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The value of `key`, young from now on; what `make` gives when there is none.
    pub(crate) fn renew(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let value = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| value.unwrap_or_else(make))
    }

    /// Forgets the old where the young take too much room, but for those that `stay`. Says whether it did.
    pub(crate) fn make_room(&mut self, stays: impl Fn(&K, &V) -> bool) -> bool {
        if self.young.len() < self.half {
            return false;
        }
        self.old.retain(|key, value| stays(key, value));
        self.old.extend(self.young.drain());
        true
    }

    /// Forgets all that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.young.retain(|key, _| keep(key));
        self.old.retain(|key, _| keep(key));
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.young.values().chain(self.old.values())
    }
}

#[cfg(test)]
mod tests {
    use super::Generations;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut kept = Generations::new(10);
        for number in 0..100 {
            kept.make_room(|_, _| false);
            kept.renew(number, || number);
            kept.make_room(|_, _| false);
            kept.renew(0, || panic!("it was there all along"));
            assert!(kept.values().count() <= 10);
        }
        assert!((96..100).all(|number| kept.find(&number).is_some()), "the latest are there");
        assert!(kept.find(&80).is_none());
    }

    #[test]
    fn what_must_stay_stays_however_long_it_is_unused() {
        let mut kept = Generations::new(10);
        for number in 0..100 {
            kept.make_room(|key, _| *key == 7);
            kept.renew(number, || ());
        }
        assert!(kept.find(&7).is_some() && kept.young(&7).is_none());
        assert!(kept.values().count() <= 11);
    }
}
