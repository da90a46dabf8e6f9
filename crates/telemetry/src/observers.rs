//! Several observers as one.

use std::sync::Arc;

use weighbridge_domain::event::{Event, Observer};

/// Tells each of its observers everything, in order.
#[derive(Debug, Clone, Default)]
pub struct Observers(pub Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn observe(&self, event: &Event<'_>) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use weighbridge_domain::event::{Event, Observer};

    use super::Observers;

    /// Writes its name into a book that it shares.
    #[derive(Debug)]
    struct Named(&'static str, Arc<Mutex<Vec<String>>>);

    impl Observer for Named {
        fn observe(&self, event: &Event<'_>) {
            self.1.lock().unwrap().push(format!("{} {event:?}", self.0));
        }
    }

    #[test]
    fn everyone_is_told_in_order() {
        let book = Arc::new(Mutex::new(Vec::new()));
        let observers =
            Observers(vec![Arc::new(Named("a", Arc::clone(&book))), Arc::new(Named("b", Arc::clone(&book)))]);
        observers.observe(&Event::CooldownEnded { deployment: &"x".into() });
        let told = book.lock().unwrap().join("\n");
        assert_eq!(told, "a CooldownEnded { deployment: \"x\" }\nb CooldownEnded { deployment: \"x\" }");
    }
}
