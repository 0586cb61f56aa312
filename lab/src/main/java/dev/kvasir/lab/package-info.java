package dev.kvasir.lab;
