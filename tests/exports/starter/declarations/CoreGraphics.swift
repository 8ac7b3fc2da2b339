// What the Swift starter's Screen.swift takes of Apple's CoreGraphics.
public final class CGImage {}
