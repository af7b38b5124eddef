"""How ``fingerprint screen`` and ``fingerprint audit`` print."""
