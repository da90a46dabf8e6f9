//! What something costs.

/// What one thing costs that is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Cost {
    /// Instructions in the router's process, without those of the kernel.
    pub(crate) instructions: f64,
    /// Calls that allocate, growth among them.
    pub(crate) allocations: f64,
    /// System calls.
    pub(crate) calls: f64,
}

impl Cost {
    /// The cost of one of `count`.
    #[must_use]
    pub(crate) fn each(self, count: f64) -> Self {
        let Self { instructions, allocations, calls } = self;
        Self { instructions: instructions / count, allocations: allocations / count, calls: calls / count }
    }
}
