//! What others make of a value, made once and kept with it.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

/// A place for something that is made of the value it lies in, and costs too much to be made anew each time. A clone of
/// the value begins without: it may be changed before it is used.
#[derive(Default)]
pub struct Derived(OnceLock<Box<dyn Any + Send + Sync>>);

impl Derived {
    /// What is kept here, which is made of the value the first time; `None` when it is something else than a `T`, which is
    /// for whoever owns the place to rule out.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl Clone for Derived {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Derived(made)" } else { "Derived(not made)" })
    }
}

#[cfg(test)]
mod tests {
    use super::Derived;

    #[test]
    fn it_is_made_once_and_not_copied() {
        let place = Derived::default();
        assert_eq!(place.get_or_make(|| 1), Some(&1));
        assert_eq!(place.get_or_make(|| 2), Some(&1));
        assert_eq!(place.get_or_make(|| "other"), None);
        assert_eq!(place.clone().get_or_make(|| 3), Some(&3));
    }
}
